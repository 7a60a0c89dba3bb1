// Package record is the run directory of a scan: every packet that was sent
// and received, in the order the scan saw them, and what is needed to play
// them back.
//
//	packets.pcapng  the packets (Writer, Reader)
//	manifest.json   what was scanned, how, when, and what came of it (Manifest)
//	services.jsonl  the services found, one JSON object per line, as found
//
// packets.pcapng has one section with two Ethernet interfaces, 0 "sent" and 1
// "received", times in nanoseconds. The manifest as it was at the start is in
// the section's comments; a long one is split over several, to be joined as
// they stand. A record that was closed ends with a statistics block for each
// interface; one that was cut off reads as a prefix.
//
// The format is that of draft-ietf-opsawg-pcapng, and of draft-ietf-opsawg-pcap
// for the older files that Reader also takes. Section numbers in this package
// are those drafts'.
package record

import "fmt"

const (
	packetsFile  = "packets.pcapng"
	manifestFile = "manifest.json"
	servicesFile = "services.jsonl"
)

// Files returns the names that a file of a run directory may have.
func Files() []string { return append(packetsFiles(), manifestFile, servicesFile) }

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
	Number    uint64    // from 1, as Wireshark counts: it numbers custom and journal blocks too
	Offset    int64     // of its block in the file, in bytes, once decompressed
	Part      int       // of a laserdisc record that was resumed: 0, 1, ...
	Time      int64     // nanoseconds since the Unix epoch; 0 if its block has no time
	Direction Direction // by interface name or epb_flags; Received where neither tells
	LinkType  uint32    // LINKTYPE_ number; 1 is Ethernet
	Length    uint32    // bytes on the wire, at least len(Data)
	Data      []byte    // bytes captured; valid until the next call of Next
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
