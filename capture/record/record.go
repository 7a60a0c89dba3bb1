// Package record is the run directory of a scan: every packet that was sent
// and received, in the order the scan saw them, and what is needed to play
// them back.
//
//	packets-00000.pcapng  the packets (Writer, Reader), in chunks,
//	packets-00001.pcapng  each of which is a capture of its own
//	...
//	manifest.json         what was scanned, how, when, and what came of it (Manifest)
//	services.jsonl        the services found, one JSON object per line, as found
//
// A chunk has one section with two Ethernet interfaces, 0 "sent" and 1
// "received", times in nanoseconds. The section's comments are the manifest as
// it was at the start, and which chunk of which run this is; a long one is split
// over several, to be joined as they stand. Statistics for each interface end a
// record that was closed, and each part of one that was resumed, for which a new
// chunk begins. A record that was cut off reads as a prefix. Records of the time
// before chunks have all their packets in packets.pcapng.
//
// A chunk that is compressed as it is written, packets-00000.pcapng.zst, is made of
// independent frames of zstd: the section, then packets, each time behind
// statistics that say how many frames the run has before them.
//
// The format is that of draft-ietf-opsawg-pcapng, and of draft-ietf-opsawg-pcap
// for the older files that Reader also takes. Section numbers in this package
// are those drafts'.
package record

import "fmt"

const (
	manifestFile = "manifest.json"
	servicesFile = "services.jsonl"
)

// MaxCapture is the longest frame that is written or read, in bytes. It is the
// snapshot length of tcpdump and Wireshark.
const MaxCapture = 256 << 10

// Direction says who sent a frame. Its number is the interface in a record.
type Direction uint8

const (
	Sent Direction = iota
	Received
)

func (d Direction) String() string {
	switch d {
	case Sent:
		return "sent"
	case Received:
		return "received"
	}
	return fmt.Sprintf("Direction(%d)", uint8(d))
}

// Frame is one packet of a record or of a foreign capture.
type Frame struct {
	Number    uint64    // from 1, as Wireshark counts: it numbers custom and journal blocks too; in a run directory it counts on over the chunks
	Offset    int64     // of its block in the file, or in the chunk, in bytes, once decompressed
	Part      int       // of a laserdisc record that was resumed: 0, 1, ...
	Time      int64     // nanoseconds since the Unix epoch; 0 if its block has no time
	Untimed   bool      // its block has no time; in a Capture, Time is that of the frame before it in its file
	Direction Direction // by interface name or epb_flags; Received where neither tells
	LinkType  uint32    // LINKTYPE_ number; 1 is Ethernet
	Length    uint32    // bytes on the wire, at least len(Data)
	Data      []byte    // bytes captured; valid until the next call of Next, or as long as the Batch
}

// TruncatedError says that a capture ends in the middle of a block. The frames
// before it are whole.
type TruncatedError struct {
	Path   string
	Offset int64  // of the block that is cut, in the decompressed file
	Frame  uint64 // number of the last whole frame
}

func (e *TruncatedError) Error() string {
	return fmt.Sprintf("record: %s is cut off in the block at byte %d, after frame %d", e.Path, e.Offset, e.Frame)
}

// FormatError says that a capture is not what the format allows.
type FormatError struct {
	Path    string
	Offset  int64  // of the offending block, in the decompressed file
	Frame   uint64 // number of the last whole frame
	Problem string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("record: %s: block at byte %d, after frame %d: %s", e.Path, e.Offset, e.Frame, e.Problem)
}
