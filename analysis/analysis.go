// Package analysis keeps what a playback found as tables that others can open: attempts.parquet,
// one row for each connection attempt, and services.parquet, one row for each service.
//
// Each table's columns are declared once, in attempts.go and services.go, with their types, what
// they mean and how they map to a session.Attempt or a session.Service. Writer, reader, digest
// and documentation follow from that.
//
// One rule for what is not there: a number or a time is null; a text, a byte string or a list is
// empty and never null. Every number is a signed 64-bit integer, every time is in UTC and to the
// nanosecond, every address is text, and rows are in the order of (address as a number, port,
// attempt).
//
// The files are plain Parquet with zstd, and the same rows always give the same bytes. But those
// depend on the compressor's version; what identifies a result is the Digest over its rows.
package analysis
