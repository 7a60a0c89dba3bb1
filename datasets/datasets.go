// Package datasets holds the data that laserdisc carries with it: the port
// registry and the published values that a report prints beside measured ones.
//
// All of paper/ is from Izhikevich, Teixeira, Durumeric, "LZR: Identifying
// Unexpected Internet Services", USENIX Security 2021:
//
//	ports.tsv               Appendix A: the 55 scanned ports; the column
//	                        "protocol" is ours, see Port.Expected
//	figure10_matrix.tsv     Figure 10: who answers which handshake
//	table1_telnet_ports.tsv Table 1: the ports where Telnet lives
//	table2_order.tsv        Table 2: the optimal order of handshakes
//	table3_options.tsv      Table 3: what a handshake's options change
//	table4_performance.tsv  Table 4: LZR against ZGrab
//	text.tsv                numbers of the text and of figures, sections 2 to 5,
//	                        by name and in words
//	section33.tsv           section 3.3: what services reveal on unexpected ports
//	banner_words.tsv        section 4.1: words in banners
//	contradictions.md       which of all these the default population does not
//	                        have, and why
//
// makers.tsv and known_keys.tsv, beside it, are this project's: how devices
// name their makers, and public keys whose private keys are printed somewhere.
//
// The .tsv files are tab-separated with one line of column names; "-" is none. They
// are parsed on first use. A test parses every one, so the functions here give
// rows and no errors.
package datasets

import (
	"embed"
	"sync"
)

//go:embed paper/*.tsv paper/contradictions.md
var paper embed.FS

// embedded gives a function that parses one file of the paper on its first
// call. The file is part of the binary: an error in it is an error in the
// program, and panics.
func embedded[T any](name string, parse func(name string, text []byte) (T, error)) func() T {
	return sync.OnceValue(func() T {
		text, err := paper.ReadFile("paper/" + name)
		if err != nil {
			panic(err)
		}
		rows, err := parse(name, text)
		if err != nil {
			panic(err)
		}
		return rows
	})
}
