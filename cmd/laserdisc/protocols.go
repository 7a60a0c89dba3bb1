package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"laserdisc/capture/handshake"
)

func protocolsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "protocols",
		Short: "List the protocols: first bytes, who speaks first, what identifies an answer, source",
		Long: `List the protocols in order of precedence: of several signatures that match, the first that is
likely or certain gives the label. Each is also the name of a handshake for scan --handshakes.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listProtocols(cmd.OutOrStdout())
		},
	}
}

// columns of the list, with the width to which each is wrapped: 118 characters in all.
var columns = []struct {
	title string
	width int
	text  func(*handshake.Protocol) string
}{
	{"name", 16, func(p *handshake.Protocol) string { return p.Name }},
	{"first", 6, (*handshake.Protocol).SpeaksFirst},
	{"client's first bytes", 28, func(p *handshake.Protocol) string { return p.First }},
	{"what identifies an answer", 36, (*handshake.Protocol).Identified},
	{"source", 24, func(p *handshake.Protocol) string { return p.Spec }},
}

// listProtocols writes the table, with as many lines for a protocol as its longest cell takes.
func listProtocols(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range columns {
		fmt.Fprint(table, c.title, "\t")
	}
	fmt.Fprintln(table)
	for _, p := range handshake.Table() {
		var cells [][]string
		height := 0
		for _, c := range columns {
			lines := wrap(c.text(p), c.width)
			cells = append(cells, lines)
			height = max(height, len(lines))
		}
		for i := range height {
			for _, lines := range cells {
				fmt.Fprint(table, strings.Join(lines[min(i, len(lines)):min(i+1, len(lines))], ""), "\t")
			}
			fmt.Fprintln(table)
		}
	}
	return table.Flush()
}

// wrap breaks a text at spaces into lines of at most width characters; a longer word has a line for itself.
func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}
