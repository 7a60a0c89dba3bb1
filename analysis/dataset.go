package analysis

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"laserdisc/capture/record"
)

// Format is the number of the dataset's format. A changed meaning of a file, a column or a digest changes it.
const Format = 1

// headerFile is all that a reader of a dataset trusts: files that it does not name are none of the dataset's.
const headerFile = "dataset.json"

// Dataset is a directory of tables: attempts and services as Parquet, in one part or many, and dataset.json, which says
// what they hold and from which runs it is.
type Dataset struct {
	dir    string
	header header
}

// header is dataset.json.
type header struct {
	Format   int                `json:"format"`
	Attempts tableHeader        `json:"attempts"`
	Services tableHeader        `json:"services"`
	Runs     []*record.Manifest `json:"runs"` // by the number in the column run

	// SHA256 is of all that stands before it, as JSON without white space, hexadecimal. It is the last field. Verify compares it with
	// found, which is what readHeader has computed.
	SHA256 string `json:"sha256,omitempty"`
	found  string
}

type tableHeader struct {
	Rows   uint64       `json:"rows"`
	Digest Digest       `json:"digest"` // of all rows
	Parts  []partHeader `json:"parts"`
}

// partHeader is one file of a table. Within a part, rows are in order; all rows of a host are in one part.
type partHeader struct {
	Name   string `json:"name"` // of the file, in the dataset's directory
	Rows   uint64 `json:"rows"`
	Digest Digest `json:"digest"`
	SHA256 string `json:"sha256"` // of the file's bytes, hexadecimal: those that no row is made of included
}

// files are the names of the parts.
func (h *header) files() []string {
	var names []string
	for _, t := range []tableHeader{h.Attempts, h.Services} {
		for _, p := range t.Parts {
			names = append(names, p.Name)
		}
	}
	return names
}

func (h *header) write(dir string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	h.SHA256 = ""
	err := e.Encode(h)
	if err == nil {
		h.found = sumBefore(b.Bytes(), "")
		h.SHA256 = h.found
		b.Reset()
		e.SetIndent("", "  ")
		err = e.Encode(h)
	}
	if err == nil {
		err = writeSynced(filepath.Join(dir, headerFile), b.Bytes())
	}
	if err != nil {
		return fmt.Errorf("analysis: %w", err)
	}
	return nil
}

// sumBefore is the SHA-256 of a header's text without white space, up to the sum that it tells.
func sumBefore(text []byte, told string) string {
	var b bytes.Buffer
	_ = json.Compact(&b, text) // which was JSON when it was read
	compact := bytes.TrimSuffix(b.Bytes(), []byte("}"))
	if told != "" {
		compact = bytes.TrimSuffix(compact, []byte(`,"sha256":"`+told+`"`))
	}
	sum := sha256.Sum256(compact)
	return hex.EncodeToString(sum[:])
}

func writeSynced(path string, content []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

func readHeader(dir string) (*header, error) {
	path := filepath.Join(dir, headerFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	h := new(header)
	if err := json.Unmarshal(text, h); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if h.Format != Format {
		return nil, fmt.Errorf("%s: format %d; this laserdisc reads format %d", path, h.Format, Format)
	}
	if len(h.Runs) == 0 {
		return nil, fmt.Errorf("%s: no run is named in it", path)
	}
	h.found = sumBefore(text, h.SHA256)
	for i, m := range h.Runs {
		if m == nil {
			return nil, fmt.Errorf("%s: run %d has no manifest", path, i)
		}
		if err := m.CheckShards(); err != nil {
			return nil, fmt.Errorf("%s: run %d: %w", path, i, err)
		}
	}
	seen := make(map[string]bool)
	for _, name := range h.files() {
		if name != filepath.Base(name) || !strings.HasSuffix(name, ".parquet") {
			return nil, fmt.Errorf("%s: %q is not the name of a part", path, name)
		}
		if seen[name] {
			return nil, fmt.Errorf("%s: part %q is named twice", path, name)
		}
		seen[name] = true
	}
	if err := h.Attempts.check(); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", path, attempts.name, err)
	}
	if err := h.Services.check(); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", path, services.name, err)
	}
	return h, nil
}

// check compares the table's count and digest with those of its parts.
func (t *tableHeader) check() error {
	var sum part
	for _, p := range t.Parts {
		if sum.rows += p.Rows; sum.rows < p.Rows {
			return fmt.Errorf("part %q cannot have %d rows", p.Name, p.Rows)
		}
		sum.digest.Add(p.Digest)
	}
	if sum.rows != t.Rows {
		return fmt.Errorf("its parts have %d rows, and it %d", sum.rows, t.Rows)
	}
	if sum.digest != t.Digest {
		return fmt.Errorf("the digests of its parts add up to %v, not to %v", sum.digest, t.Digest)
	}
	return nil
}

// IsDataset reports whether dir holds a dataset.
func IsDataset(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, headerFile))
	return err == nil
}

// Open opens the dataset in dir. It does not read the tables: Verify does.
func Open(dir string) (*Dataset, error) {
	h, err := readHeader(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("analysis: %s is no dataset: it has no %s", dir, headerFile)
	}
	if err != nil {
		return nil, fmt.Errorf("analysis: %w", err)
	}
	return &Dataset{dir: dir, header: *h}, nil
}

// Dir is the dataset's directory.
func (d *Dataset) Dir() string { return d.dir }

// Manifest is that of the dataset's first run, and of most datasets' only one.
func (d *Dataset) Manifest() *record.Manifest { return d.header.Runs[0] }

// Runs are the manifests of the runs that the rows are of, by the number in the column run.
func (d *Dataset) Runs() []*record.Manifest { return d.header.Runs }

// Attempts is the number of rows in the table of attempts.
func (d *Dataset) Attempts() uint64 { return d.header.Attempts.Rows }

// Services is the number of rows in the table of services.
func (d *Dataset) Services() uint64 { return d.header.Services.Rows }

// Digest identifies what the tables hold, as 64 hexadecimal digits: the SHA-256 of the names of the tables and columns,
// and each table's count and Digest of rows. It does not depend on how the tables are cut into parts, or compressed.
func (d *Dataset) Digest() string {
	h := sha256.New()
	describe := func(name string, columns []string, t tableHeader) {
		fmt.Fprintf(h, "%s %s %d %v\n", name, strings.Join(columns, ","), t.Rows, t.Digest)
	}
	describe(attempts.name, attempts.columnNames(), d.header.Attempts)
	describe(services.name, services.columnNames(), d.header.Services)
	return hex.EncodeToString(h.Sum(nil))
}

func (t *table[R]) columnNames() []string {
	var names []string
	for _, c := range t.columns {
		names = append(names, c.name)
	}
	return names
}
