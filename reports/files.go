package reports

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"laserdisc/analysis"
	"laserdisc/capture/record"
)

// listFile names the files of a report, in its directory, so that the next one there can remove those that it does not write.
const listFile = "report.json"

// contentsOf is what is in it.
type contentsOf struct {
	From  []string `json:"from"`  // the datasets, as they were given, in their order
	Files []string `json:"files"` // in order, without their directory
}

// CheckOut refuses a directory that has a dataset or a run: a report's files do not belong among theirs.
func CheckOut(dir string) error {
	switch {
	case analysis.IsDataset(dir):
		return fmt.Errorf("%s is a dataset: a report goes into a directory of its own", dir)
	case record.Packets(dir) != "":
		return fmt.Errorf("%s is a run: a report goes into a directory of its own", dir)
	}
	return nil
}

// readList gives the files that the report in a directory has; none if there is no report. An error if the list is none, or names a
// file that is not in the directory.
func readList(dir string) ([]string, error) {
	path := filepath.Join(dir, listFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l, err := parseList(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return l.Files, nil
}

func parseList(text []byte) (l contentsOf, err error) {
	if err := json.Unmarshal(text, &l); err != nil {
		return l, err
	}
	for _, name := range l.Files {
		if name != filepath.Base(name) || !filepath.IsLocal(name) || name == "." {
			return l, fmt.Errorf("%q is no file of a report's directory", name)
		}
	}
	return l, nil
}

func writeList(dir string, from, names []string) error {
	slices.Sort(names)
	text, err := json.MarshalIndent(contentsOf{from, slices.Compact(names)}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, listFile), append(text, '\n'), 0o666)
}

// writeFiles writes the files of a report of some datasets into a directory, and removes those of the report before it that it does not have. Nothing
// else in the directory is touched. A report that was cut off leaves a list of both.
func writeFiles(dir string, from []string, files map[string][]byte) error {
	before, err := readList(dir)
	if err != nil {
		return err
	}
	names := []string{listFile}
	for name := range files {
		names = append(names, name)
	}
	if err := writeList(dir, from, slices.Concat(names, before)); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			return err
		}
	}
	for _, name := range before {
		if slices.Contains(names, name) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return writeList(dir, from, names)
}
