package datasets

import (
	"embed"
	"io/fs"
)

//go:embed sample
var sample embed.FS

// Sample is the directory sample: recorded scans of the lab and a capture of real servers, small enough to carry along. Its README
// says what they are.
func Sample() fs.FS {
	dir, err := fs.Sub(sample, "sample")
	if err != nil {
		panic(err) // the name is constant
	}
	return dir
}
