package handshake

import "bytes"

var svn = Protocol{
	Name:        "svn",
	ServerFirst: true,
	Ports:       []uint16{3690},
	Spec:        "Subversion, libsvn_ra_svn/protocol, section 2",
	Version:     1,
	First:       "nothing",
	Signature:   "( success ( with the least and the greatest version, 1 or 2, and lists of mechanisms and capabilities",
	Leads:       "(",
	Match:       matchSVN,
	Details:     svnDetails,
}

// matchSVN reads the greeting: "( success ( minver maxver mechs caps ) ) ", where the lists are in parentheses of their own.
func matchSVN(data []byte) Match {
	const begin = "( success ( "
	if !hasPrefix(data, begin) || len(data) < len(begin)+6 {
		return Match{}
	}
	versions := data[len(begin):]
	if !isVersion12(versions[0]) || versions[1] != ' ' || !isVersion12(versions[2]) || !hasPrefix(versions[3:], " ( ") {
		return Match{}
	}
	if i := bytes.Index(data, svnEnd); i >= 0 && isPrintable(data[:i]) {
		return certain(i + len(svnEnd))
	}
	return likely(len(begin) + 6)
}

func isVersion12(c byte) bool { return c == '1' || c == '2' }

var svnEnd = []byte(" ) ) )")

func svnDetails(data []byte) []Detail { return details("version", string(data[14:15])) }
