// Package judge has no code but tests: they run the built program beside programs and servers that others wrote, and say who
// is right. A file for each judge:
//
//	fleet_test.go       servers as Debian packages them: each must be recognised      make fleet
//	mechanisms_test.go  what Linux can do to a connection: each must be told          go test -run TestMechanism
//	accuracy_test.go    the fleet's saved responses, and the lab's truth: precision   make corpus, make accuracy
//	                    and recall of the labels, as docs/accuracy.md has them
//	tshark_test.go      tshark's protocol and bytes of every stream, as docs/tshark.md  make tshark
//	                    has them
//	captures_test.go    every connection of nDPI's captures that tshark sees answered   make captures
//	foreign_test.go     what nmap, masscan and zmap do, recorded by tcpdump: the lab
//	zmap_test.go        ZMap finds the same services, and hands its SYN-ACKs over;    make bench
//	                    ZMap and masscan send as fast
//	replay_test.go      tcpdump, gopacket, tshark and dd read the same records, beside  make bench-replay
//	                    playback with its tables, as docs/scale.md has it
//	page_test.go        a report's page in Chromium                                     make page
//	latex_test.go       pdflatex sets what a report offers a paper                      make latex
//	peers_test.go       LZR finds the same services, ZGrab2 reads what we write       make peers
//
// `make test` runs all of it that can run. What cannot, for want of a program or of root, is skipped, and written to
// out/absent.txt, which `make test` prints at its end.
//
// testdata has the fleet (a script for each server), the rules of nftables behind the mechanisms, the labels that differ from
// the truth and are right (excused.tsv), and what playback is measured by: hosts that all say something (dense.json), and a
// program that decodes packets with gopacket.
package judge
