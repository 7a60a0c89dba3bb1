// Package analysis keeps what a playback found as a dataset, tables that others can open, and counts what is in it: one row
// for each connection attempt, and one for each service.
//
// Each table's columns are declared once, in attempts.go and services.go, with their types, what they mean and how they
// map to a session.Attempt or a session.Service. Writer, reader, digest and documentation (docs/tables.md) follow from
// that.
//
// A Builder takes rows in any order, sorts them within a bound of memory, and writes them column by column as plain
// Parquet; a Dataset is what is then there, in one part or many. The same rows give the same bytes, but those depend on the
// compressor's version; what identifies a result is its Digest over the rows. Merge makes one dataset of several.
//
// A Fold is an analysis: it sees each row once, as Arrow columns, and keeps a small summary.
package analysis
