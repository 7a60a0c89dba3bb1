package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"laserdisc/capture/handshake"
)

func protocolsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "protocols",
		Short: "List the protocols: first bytes, who speaks first, what identifies an answer, source",
		Long: `List the protocols in order of precedence: of several signatures that match, the first that is
likely or certain gives the label. Each is also the name of a handshake for scan --handshakes, but for
those without one.`,
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
	var titles [][]string
	for _, c := range columns {
		titles = append(titles, []string{c.title})
	}
	text := row(titles)
	for _, p := range handshake.Table() {
		var cells [][]string
		for _, c := range columns {
			cells = append(cells, wrap(c.text(p), c.width))
		}
		text += row(cells)
	}
	_, err := io.WriteString(w, text)
	return err
}

// row puts cells beside each other.
func row(cells [][]string) (text string) {
	for i := 0; ; i++ {
		line := ""
		for c, lines := range cells {
			if i < len(lines) {
				line += fmt.Sprintf("%-*s", columns[c].width, lines[i])
			} else {
				line += strings.Repeat(" ", columns[c].width)
			}
			line += "  "
		}
		if line = strings.TrimRight(line, " "); line == "" {
			return text
		}
		text += line + "\n"
	}
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
