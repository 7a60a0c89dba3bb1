package analysis

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"laserdisc/capture/session"
)

// damaged is a dataset that a change was made to: its parts are files of the good one, and others.
type damaged struct {
	dir  string
	good *Dataset
}

// damage makes a good dataset, to be damaged.
func damage(t testing.TB) damaged {
	t.Helper()
	dir := t.TempDir()
	return damaged{dir, write(t, dir, examples())}
}

func (d damaged) path(name string) string { return filepath.Join(d.dir, name) }

func (d damaged) put(t testing.TB, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(d.path(name), content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func (d damaged) get(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(d.path(name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// use opens the dataset, verifies it, and reads it in each way that there is.
func (d damaged) use() error {
	opened, err := Open(d.dir)
	if err != nil {
		return err
	}
	if err := opened.Verify(context.Background()); err != nil {
		// What Verify refuses may be read, and must not be the end of the program.
		_ = opened.EachAttempt(context.Background(), func(*session.Attempt, int) error { return nil })
		_ = FoldAll(context.Background(), []*Dataset{opened, d.good}, new(Census), new(Responses), new(AllPorts))
		return err
	}
	return FoldAll(context.Background(), []*Dataset{opened, d.good}, new(Census), new(Responses), new(AllPorts))
}

// asTable writes the examples as one file of a table with other columns.
func asTable(t testing.TB, path string, as *table[attempt]) {
	t.Helper()
	rows := &sorter{limit: 1 << 20}
	for _, a := range examples().attempts {
		k := attempts.key(&a)
		e, err := as.appendRow(append(k[:], make([]byte, entryHeader-keySize)...), &a)
		if err != nil {
			t.Fatal(err)
		}
		binary.LittleEndian.PutUint32(e[entryLength:], uint32(len(e)-entryHeader))
		if err := rows.add(e); err != nil {
			t.Fatal(err)
		}
	}
	src, err := sorted(t.Context(), []*sorter{rows}, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := as.write(t.Context(), f, src, 1); err != nil {
		t.Fatal(err)
	}
}

// with is the table of attempts with another column in place of that of the same name.
func with(c column[attempt]) *table[attempt] {
	as := *attempts
	as.columns = slices.Clone(attempts.columns)
	as.columns[slices.IndexFunc(as.columns, func(o column[attempt]) bool { return o.name == c.name })] = c
	return &as
}

// What is not a part, or not this one, is an error that names the file, the column and the row.
func TestDamagedParts(t *testing.T) {
	number := func(name string, kind kind, v int64) column[attempt] {
		return column[attempt]{name: name, kind: kind, number: func(*attempt) int64 { return v }}
	}
	word := func(name string, kind kind, s string) column[attempt] {
		return column[attempt]{name: name, kind: kind, text: func(*attempt) string { return s }}
	}
	without := *attempts
	without.columns = attempts.columns[:len(attempts.columns)-1]
	twice := *attempts
	twice.columns = append(slices.Clone(attempts.columns), attempts.columns[1])
	evidence := column[attempt]{name: "matches_evidence", kind: texts, list: func(_ *attempt, i int) (string, bool) { return "likely", i < 3 }}

	for _, c := range []struct {
		name   string
		damage func(d damaged)
		want   string
	}{
		{"absent", func(d damaged) { os.Remove(d.path("attempts.parquet")) }, "no such file"},
		{"empty", func(d damaged) { d.put(t, "attempts.parquet", nil) }, "not such a table"},
		{"text", func(d damaged) { d.put(t, "attempts.parquet", []byte("addr,port\n9.0.0.1,80\n")) }, "not such a table"},
		{"cut", func(d damaged) {
			b := d.get(t, "attempts.parquet")
			d.put(t, "attempts.parquet", b[:len(b)/2])
		}, "not such a table"},
		{"headless", func(d damaged) {
			b := d.get(t, "attempts.parquet")
			d.put(t, "attempts.parquet", b[len(b)/2:])
		}, ""},
		{"other table", func(d damaged) { copyFile(t, d.path("services.parquet"), d.path("attempts.parquet")) }, `not such a table: it has 0 columns "attempt", not one; was it written by another version?`},
		{"column absent", func(d damaged) { asTable(t, d.path("attempts.parquet"), &without) }, `it has 0 columns "truncated"`},
		{"column twice", func(d damaged) { asTable(t, d.path("attempts.parquet"), &twice) }, `it has 2 columns "port"`},
		{"number as text", func(d damaged) { asTable(t, d.path("attempts.parquet"), with(word("port", text, "80"))) }, `column "port" is utf8, not uint16`},
		{"wider number", func(d damaged) { asTable(t, d.path("attempts.parquet"), with(number("port", number64, 80))) }, `column "port" is int64, not uint16`},
		{"value that does not fit", func(d damaged) { asTable(t, d.path("attempts.parquet"), with(number("window_size", number32, 65536))) }, `row 0, column "window_size": 65536 does not fit uint16`},
		{"state", func(d damaged) { asTable(t, d.path("attempts.parquet"), with(word("state", text, "open"))) }, `row 0, column "state": session: no state is called "open"`},
		{"visit", func(d damaged) { asTable(t, d.path("attempts.parquet"), with(word("visit", text, "third"))) }, `row 0, column "visit": session: no visit is called "third"`},
		{"evidence", func(d damaged) { asTable(t, d.path("attempts.parquet"), with(word("evidence", text, "sure"))) }, `row 0, column "evidence": no evidence is called "sure"`},
		{"address", func(d damaged) { asTable(t, d.path("attempts.parquet"), with(word("addr", text, "9.0.0.256"))) }, `row 0, column "addr": ParseAddr("9.0.0.256")`},
		{"more evidence than matches", func(d damaged) { asTable(t, d.path("attempts.parquet"), with(evidence)) }, `row 0, column "matches_evidence": one more of them than matches`},
		{"other ports", func(d damaged) { asTable(t, d.path("attempts.parquet"), with(number("port", unsigned16, 80))) }, "row 5 is out of order"},
		{"another row", func(d damaged) { asTable(t, d.path("attempts.parquet"), with(number("synacks", unsigned32, 7))) }, "its 7 rows have the digest"},
		{"of another dataset", func(d damaged) {
			other := t.TempDir()
			write(t, other, tables{attempts: examples().attempts[1:]})
			copyFile(t, filepath.Join(other, "attempts.parquet"), d.path("attempts.parquet"))
		}, "attempts.parquet has 6 rows, not the 7 that dataset.json tells of"},
	} {
		d := damage(t)
		c.damage(d)
		err := d.use()
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), d.path("attempts.parquet")) {
			t.Errorf("%s: error is %v, should say %q", c.name, err, c.want)
		}
	}
}

// Rows that are not in order are refused by Verify, if the digest is right or not.
func TestOutOfOrder(t *testing.T) {
	d := damage(t)
	backwards := *attempts
	n := byte(255)
	backwards.key = func(*attempt) key { n--; return key{n} }
	b, err := Create(d.dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := b.Partition(1)
	for _, a := range examples().attempts {
		if err := add(p, &backwards, &a); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Close(t.Context(), d.good.Runs()); err != nil {
		t.Fatal(err)
	}
	if err := d.use(); err == nil || !strings.Contains(err.Error(), d.path("attempts.parquet")+": row 1 is out of order") {
		t.Error(err)
	}
}

// Whatever byte of a part is changed, Verify says so, and names the file; never is there a panic.
func TestAnyByteOfAPart(t *testing.T) {
	d := damage(t)
	random := rand.New(rand.NewPCG(5, 5))
	for _, name := range []string{"attempts.parquet", "services.parquet"} {
		good := d.get(t, name)
		for range 400 {
			b := slices.Clone(good)
			b[random.IntN(len(b))] ^= byte(1 + random.IntN(255))
			d.put(t, name, b)
			if err := d.use(); err == nil || !strings.Contains(err.Error(), d.path(name)) {
				t.Errorf("a byte of %s is changed: %v", name, err)
			}
		}
		d.put(t, name, good)
	}
}

// Whatever digit or letter of dataset.json is changed is seen.
func TestAnyByteOfTheHeader(t *testing.T) {
	d := damage(t)
	good := d.get(t, headerFile)
	for i, c := range good {
		b := slices.Clone(good)
		switch {
		case c >= '0' && c <= '8' || c >= 'a' && c <= 'y':
			b[i]++
		case c == '9':
			b[i] = '0'
		case c == 'z':
			b[i] = 'a'
		default:
			continue // white space does not matter, and other punctuation is no JSON
		}
		d.put(t, headerFile, b)
		opened, err := Open(d.dir)
		if err == nil {
			err = opened.Verify(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), d.dir) {
			t.Errorf("byte %d of %s is changed, in %q: %v", i, headerFile, b[max(0, i-20):min(len(b), i+20)], err)
		}
	}
}

// A dataset.json that is damaged, foreign, or does not go with the parts is an error that names it.
func TestDamagedHeader(t *testing.T) {
	d := damage(t)
	good := string(d.get(t, headerFile))
	replace := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%s has no %q", headerFile, old)
		}
		return strings.Replace(good, old, new, 1)
	}
	summed := func(changed string) string { // whose own sum is right
		told := d.good.header.SHA256
		return strings.Replace(changed, told, sumBefore([]byte(changed), told), 1)
	}
	attemptsPart := `"name": "attempts.parquet"`
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "unexpected end of JSON input"},
		{"cut", good[:len(good)/2], "unexpected end of JSON input"},
		{"text", "attempts: 6\n", "invalid character"},
		{"other format", replace(`"format": 1`, `"format": 2`), "format 2; this laserdisc reads format 1"},
		{"no format", "{}", "format 0; this laserdisc reads format 1"},
		{"a run's manifest", `{"format": 1, "laserdisc": "0.9", "arguments": []}`, "no run is named in it"},
		{"null for a run", good[:strings.Index(good, `"runs"`)] + `"runs": [null]}`, "run 0 has no manifest"},
		{"part elsewhere", replace(attemptsPart, `"name": "../attempts.parquet"`), `"../attempts.parquet" is not the name of a part`},
		{"part in a folder", replace(attemptsPart, `"name": "x/attempts.parquet"`), `"x/attempts.parquet" is not the name of a part`},
		{"absolute part", replace(attemptsPart, `"name": "/etc/passwd"`), `"/etc/passwd" is not the name of a part`},
		{"part without a name", replace(attemptsPart, `"name": ""`), `"" is not the name of a part`},
		{"other file", replace(attemptsPart, `"name": "dataset.json"`), `"dataset.json" is not the name of a part`},
		{"the same part", replace(attemptsPart, `"name": "services.parquet"`), `part "services.parquet" is named twice`},
		{"absent part", summed(replace(attemptsPart, `"name": "attempts-1.parquet"`)), "attempts-1.parquet: no such file"},
		{"digest cut", replace(`"digest": "`, `"digest": "0`), "odd length hex string"},
		{"negative rows", replace(`"rows": 7`, `"rows": -6`), "cannot unmarshal number -6"},
		{"rows of the table", replace(`"rows": 7`, `"rows": 8`), "attempts: its parts have 7 rows, and it 8"},
		{"rows of a part", summed(strings.ReplaceAll(good, `"rows": 7`, `"rows": 8`)), "has 7 rows, not the 8 that dataset.json tells of"},
		{"too many rows", summed(strings.ReplaceAll(good, `"rows": 7`, `"rows": 18446744073709551615`)), "has 7 rows, not the 18446744073709551615"},
		{"digest of the table", replace(d.good.header.Attempts.Digest.String(), Digest{1}.String()), "the digests of its parts add up to"},
		{"a run's seed", replace(`"seed": "`, `"seed": "1`), "dataset.json: it has the SHA-256"},
		{"no SHA-256", good[:strings.LastIndex(good, ",")] + "}", "dataset.json: it tells no SHA-256"},
		{"more", good[:strings.LastIndex(good, "}")] + `, "runs": []}`, "no run is named in it"},
		{"digest of a part", summed(strings.ReplaceAll(good, d.good.header.Attempts.Digest.String(), Digest{1}.String())), "its 7 rows have the digest"},
		{"SHA-256 of a part", summed(replace(`"sha256": "`, `"sha256": "0`)), "its rows are right, but its bytes have the SHA-256"},
		{"no SHA-256 of a part", summed(replace(`"sha256": "`, `"was": "`)), "attempts.parquet: it tells no SHA-256"},
	} {
		d.put(t, headerFile, []byte(c.text))
		err := d.use()
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), d.dir) {
			t.Errorf("%s: error is %v, should say %q", c.name, err, c.want)
		}
	}
	if err := os.Remove(d.path(headerFile)); err != nil {
		t.Fatal(err)
	}
	if err := d.use(); err == nil || !strings.Contains(err.Error(), d.dir+" is no dataset: it has no dataset.json") || IsDataset(d.dir) {
		t.Error(err)
	}
}

// FuzzPart damages a part at one place: an error or the same rows, never a panic.
func FuzzPart(f *testing.F) {
	d := damage(f)
	good := d.get(f, "attempts.parquet")
	f.Add(uint32(0), []byte{})
	f.Add(uint32(len(good)-12), []byte{0xff, 0xff, 0xff})
	f.Add(uint32(len(good)/2), []byte("PAR1"))
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		b := slices.Clone(good)
		copy(b[int(at)%len(b):], patch)
		d.put(t, "attempts.parquet", b)
		_ = d.use()
	})
}

// FuzzHeader reads anything as a dataset.json: an error or a dataset, never a panic, nor a file elsewhere.
func FuzzHeader(f *testing.F) {
	d := damage(f)
	good := d.get(f, headerFile)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte(strings.ReplaceAll(string(good), `"rows": 7`, `"rows": 18446744073709551615`)))
	f.Add([]byte(strings.Replace(string(good), `"name": "`, `"name": "../`, 1)))
	f.Fuzz(func(t *testing.T, text []byte) {
		d.put(t, headerFile, text)
		if err := d.use(); err != nil {
			return
		}
		opened, err := Open(d.dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range opened.header.files() {
			if strings.ContainsAny(name, "/\\") {
				t.Errorf("part %q is not in the directory", name)
			}
		}
		_ = opened.Digest()
	})
}

func TestVerifyIsOfWhatIsThere(t *testing.T) {
	d := damage(t)
	d.put(t, "notes.txt", []byte("not the dataset's"))
	if err := d.use(); err != nil {
		t.Error(err)
	}
	if _, err := Open(d.path("absent")); err == nil {
		t.Error("what is not there is opened")
	}
}
