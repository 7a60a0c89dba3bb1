// Package formats reads and writes what other scanners write and read:
//
//	ZMap     [ReadZMap] reads the SYN-ACKs that `zmap -O json` found, for a scan that goes on from them
//	LZR      [WriteLZR] writes a service as LZR writes it; [Classify] reads and labels such lines
//	ZGrab2   [WriteZGrab] writes what `zgrab2 multiple` reads; [Classify] reads and labels what ZGrab2 writes
//
// [Classify] also takes laserdisc's own services.jsonl, and responses that somebody wrote down in hexadecimal or base64.
// docs/from-lzr.md compares the programs' options.
package formats
