package analysis

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"laserdisc/capture/session"
)

// judge is where another reader of Parquet finds tables and what is in them: testdata/judge.mjs.
var judge = flag.String("judge", "", "directory for the tables that testdata/judge.mjs compares")

// TestJudge writes tables with every sort of value beside the same rows as JSON lines, which do
// not pass through Arrow.
func TestJudge(t *testing.T) {
	dir := *judge
	if dir == "" {
		dir = t.TempDir()
	}
	for name, rows := range map[string][]session.Attempt{
		"none": nil, "nulls": examples()[:1], "examples": examples(), "any": anyAttempts(500), "groups": many(groupRows + 10),
	} {
		path := filepath.Join(dir, name+".parquet")
		writeAttempts(t, path, rows)
		writeJSON(t, filepath.Join(dir, name+".jsonl"), readAttempts(t, path))
	}
}

func writeJSON(t *testing.T, path string, rows []session.Attempt) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := json.NewEncoder(f)
	for i := range rows {
		object := make(map[string]any)
		for _, c := range attempts.columns {
			object[c.name] = jsonValue(c.kind, c.get(&rows[i]))
		}
		if err := out.Encode(object); err != nil {
			t.Fatal(err)
		}
	}
}

// jsonValue writes numbers as text, for JavaScript's lose digits.
func jsonValue(k kind, c cell) any {
	switch {
	case c.null:
		return nil
	case k == boolean:
		return c.number != 0
	case k == text:
		return c.text
	case k == octets:
		return hex.EncodeToString(c.octets)
	case k == texts:
		return append([]string{}, c.texts...)
	}
	return strconv.FormatInt(c.number, 10)
}
