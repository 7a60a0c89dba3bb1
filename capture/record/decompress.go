package record

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/pierrec/lz4/v4"
	"github.com/therootcompany/xz"
)

// xzWindow is the longest dictionary that is decompressed, that of xz -9, in bytes.
const xzWindow = 64 << 20

// corruptError says that what a file holds is not what was compressed. What stands before may be used; nothing follows.
type corruptError struct {
	method string
	err    error
}

func (e *corruptError) Error() string { return fmt.Sprintf("damaged %s data: %v", e.method, e.err) }

func isCorrupt(err error) bool {
	_, is := err.(*corruptError)
	return is
}

// decompress returns what src holds once decompressed, whatever compressed it: that is told by the first bytes. What is held of it is
// at most a window of 128 MiB of zstd, 64 of xz, or blocks of 8 MiB of the others.
func decompress(src io.Reader) (plain io.Reader, release func(), err error) {
	in := &failing{src: src}
	b := bufio.NewReaderSize(in, 64<<10)
	magic, _ := b.Peek(6)
	release = func() {}
	method := ""
	switch {
	case bytes.HasPrefix(magic, zstdMagic):
		z, err := newZstdReader(b)
		if err != nil {
			return nil, nil, in.explain("zstd", err)
		}
		plain, release, method = z, z.close, "zstd"
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")): // RFC 1952, section 2.3.1
		plain, err = gzip.NewReader(b)
		method = "gzip"
	case string(magic) == "\xfd7zXZ\x00": // the .xz file format, section 2.1.1.1
		plain, err = xz.NewReader(b, xzWindow)
		method = "xz"
	case len(magic) > 3 && string(magic[:3]) == "BZh" && magic[3] >= '1' && magic[3] <= '9':
		plain = bzip2.NewReader(b)
		method = "bzip2"
	case bytes.HasPrefix(magic, []byte("\x04\x22\x4d\x18")), bytes.HasPrefix(magic, []byte("\x02\x21\x4c\x18")): // and the older format
		plain = lz4.NewReader(b)
		method = "lz4"
	default:
		return b, release, nil
	}
	if err != nil {
		return nil, nil, in.explain(method, err)
	}
	return &decompressor{plain, in, method}, release, nil
}

// failing remembers why no more can be read.
type failing struct {
	src io.Reader
	err error
}

// Read implements io.Reader.
func (f *failing) Read(b []byte) (int, error) {
	n, err := f.src.Read(b)
	if err != nil {
		f.err = err
	}
	return n, err
}

// explain tells an error of a decompressor's from one of the file's.
func (f *failing) explain(method string, err error) error {
	switch {
	case err == nil:
		return nil
	case f.err != nil && f.err != io.EOF:
		return f.err
	case err == io.EOF:
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), err == xz.ErrBuf && f.err == io.EOF:
		return io.ErrUnexpectedEOF
	}
	if _, goesOn := err.(*damage); goesOn {
		return err
	}
	return &corruptError{method, err}
}

// decompressor says what is wrong with the data, and what with the file.
type decompressor struct {
	plain  io.Reader
	in     *failing
	method string
}

// Read implements io.Reader.
func (d *decompressor) Read(b []byte) (int, error) {
	n, err := d.plain.Read(b)
	return n, d.in.explain(d.method, err)
}
