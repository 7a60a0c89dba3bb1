package handshake

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// answers are what servers say, one line per thing that a signature must tell apart. Answers of services that are not in
// the table are among them: they must stay unknown.
var answers = []struct {
	name     string
	received string
	label    string
	evidence Evidence
	at       int // the byte at which the label is reached; 0: all of them
}{
	{"http", "HTTP/1.1 200 OK\r\nServer: x\r\n\r\nbody", "http", Certain, 30},
	{"http with bare LF", "HTTP/1.0 200 OK\nContent-Type: text/plain\n\nbody", "http", Certain, 42},
	{"http without a reason", "HTTP/1.1 404\r\n\r\n", "http", Certain, 0},
	{"http with an empty reason", "HTTP/1.1 404 \r\n\r\n", "http", Certain, 0},
	{"http in lower case", "http/1.1 200 OK\r\n\r\n", "http", Likely, 0},
	{"http, header cut", "HTTP/1.1 200 OK\r\nServ", "http", Likely, 0},
	{"http, status line cut", "HTTP/1.1 200", "http", Likely, 0},
	{"http, status cut", "HTTP/1.1 20", Unknown, None, 0},
	{"http of another status", "HTTP/1.1 2x0 OK\r\n\r\n", Unknown, None, 0},
	{"http/2 without TLS", "\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02", Unknown, None, 0},
	{"html alone", "\r\n<HTML><body>hello", "http", Weak, 5},
	{"xmpp", "<?xml version='1.0'?><stream:stream id='' xml:lang='en' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><stream:error/>", "xmpp", Certain, 126},
	{"xmpp, cut", "<stream:stream xmlns:stream='http://etherx.jabber.org/streams' id", "xmpp", Likely, 0},
	{"other xml", "<?xml version='1.0'?><stream:stream>", Unknown, None, 0},
	{"icecast", "ICY 200 OK\r\n\r\n", Unknown, None, 0},
	{"tor control port", "HTTP/1.0 501 Tor ControlPort is not an HTTP proxy\r\n\r\n", "http", Weak, 0},

	{"elasticsearch transport", "HTTP/1.0 200 OK\r\n\r\nThis is not an HTTP port", "http", Weak, 19},

	{"tls, plain HTTP to nginx", "HTTP/1.1 400 Bad Request\r\n\r\n<title>400 The plain HTTP request was sent to HTTPS port</title>", "tls", Likely, 84},
	{"tls, plain HTTP to Go", "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", "tls", Likely, 75},
	{"http that speaks of HTTPS", "HTTP/1.1 400 Bad Request\r\n\r\nHTTPS is better than HTTP\n", "http", Certain, 28},
	{"tls alert", "\x15\x03\x01\x00\x02\x02\x46", "tls", Certain, 0},
	{"tls alert and text", "\x15\x03\x03\x00\x02\x02\x28500 OOPS", "tls", Certain, 7},
	{"tls alert without its description", "\x15\x03\x01\x00\x02\x02", Unknown, None, 0},
	{"tls alert, no such description", "\x15\x03\x01\x00\x02\x02\x0b", Unknown, None, 0},
	{"tls alert, no such version", "\x15\x02\x01\x00\x02\x02\x28", Unknown, None, 0},
	{"tls server hello", "\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" + strings.Repeat("r", 32) + "\x00\xc0\x2f\x00", "tls", Certain, 47},
	{"tls server hello, cut", "\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" + strings.Repeat("r", 8), "tls", Likely, 11},
	{"tls 1.3, draft 18", "\x16\x03\x01\x00\x2c\x02\x00\x00\x28\x7f\x12" + strings.Repeat("r", 32) + "\x13\x01\x00\x02\x00\x00", "tls", Certain, 0},
	{"ssl 2.0", "\x80\x1e\x04\x00\x01\x00\x02\x00\x05\x00\x03\x00\x0bcertc\x01\x00\x80connection!"[:32], "tls", Certain, 0},
	{"ssl 2.0, cut", "\x83\x1e\x04\x00\x01\x00\x02\x03\x00\x00\x03\x00\x10\x30\x82", "tls", Likely, 0},
	{"ssl 2.0, lengths wrong", "\x80\x1f\x04\x00\x01\x00\x02\x00\x05\x00\x03\x00\x0bcertc", Unknown, None, 0},
	{"ssl 2.0, no cipher", "\x80\x03\x00\x00\x01", "tls", Likely, 0},
	{"tls client hello", "\x16\x03\x03\x00\x2a\x01\x00\x00\x26\x03\x03" + strings.Repeat("r", 32) + "\x00\xc0\x2f\x00", Unknown, None, 0},
	{"tls hello request", "\x16\x03\x01\x00\x04\x00\x00\x00\x00", "tls", Likely, 0},
	{"tls record too long", "\x16\x03\x03\xff\xff\x02\x00\x00\x26\x03\x03", Unknown, None, 0},

	{"ssh", "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "ssh", Certain, 0},
	{"ssh and its KEXINIT", "SSH-2.0-dropbear_2022.83\r\n\x00\x00\x01\xfc\x07\x14", "ssh", Certain, 26},
	{"ssh 1", "SSH-1.5-1.2.27\n", "ssh", Certain, 0},
	{"ssh, first segment", "SSH-2.0-Open", "ssh", Likely, 0},
	{"ssh, too little", "SSH-2", Unknown, None, 0},
	{"ssh after other lines", "Authorized use only.\r\n\r\nSSH-2.0-x\r\n", "ssh", Likely, 0},
	{"ssh, named in a text", "this is not SSH-2.0-x\r\n", Unknown, None, 0},
	{"ssh, no version", "SSH-x.y-z\r\n", Unknown, None, 0},
	{"ssh, penalised", "Not allowed at this time\r\n", "ssh", Likely, 0},
	{"ssh, turned away", "Exceeded MaxStartups\r\n", "ssh", Likely, 0},

	{"smtp", "220 mail.example.com ESMTP Postfix\r\n", "smtp", Certain, 0},
	{"smtp on a host named ftp", "220 ftp.example.com ESMTP\r\n", "smtp", Certain, 0},
	{"smtp, first line of many", "220-mail.example.com ESMTP Postfix\r\n", "smtp", Likely, 0},
	{"smtp, line cut", "220 mail.example.com ESMTP Pos", "smtp", Likely, 0},
	{"smtp, many lines", "220-a.example ESMTP\r\n220-no spam\r\n220 go\r\n", "smtp", Certain, 0},
	{"smtp refuses an early talker", "220-a.example ESMTP\r\n521 5.7.0 Error: I can break rules, too.\r\n", "smtp", Likely, 21},
	{"smtp refuses", "554 mail.example.com ESMTP not for you\r\n", "smtp", Likely, 0},
	{"smtp, EHLO", "220 mail.example.com ready\r\n250-mail.example.com\r\n250-SIZE 1000\r\n250 DSN\r\n", "smtp", Certain, 0},
	{"smtp, no EHLO", "220 smtp.example.com ready\r\n502 5.5.2 what?\r\n", Unknown, None, 0},
	{"lmtp", "220 localhost Dovecot (Debian) ready.\r\n500 5.5.1 Unknown command\r\n", Unknown, None, 0},
	{"lmtp by name", "220 host LMTP server ready\r\n", "lmtp", Certain, 0},
	{"lmtp by name, cut", "220 host LMTP", "lmtp", Likely, 0},
	{"smtp on a host named lmtp", "220 lmtp.example.com ESMTP\r\n", Unknown, None, 0},
	{"smtp refuses with an enhanced code", "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied\r\n", "smtp", Likely, 0},
	{"smtp refuses with 550", "550 5.7.1 Service unavailable, you are listed\r\n", "smtp", Likely, 0},
	{"smtp refuses in its host's name", "554 mx.example.com\r\n", "smtp", Likely, 0},
	{"smtp refuses in its host's name, with a text", "554 mx.example.com no service\r\n", "smtp", Likely, 0},
	{"smtp refuses without a word", "554 No service\r\n", "smtp", Weak, 0},
	{"550 alone", "550 Access denied.\r\n", Unknown, None, 0},

	{"ftp", "220 (vsFTPd 3.0.3)\r\n", "ftp", Certain, 0},
	{"ftp on a host named smtp", "220 smtp.example.com FTP server ready.\r\n", "ftp", Certain, 0},
	{"ftp on a host named ftp", "220 ftp.example.com ready.\r\n", Unknown, None, 0},
	{"ftp, welcome to a host named ftp", "220 Welcome to ftp.example.com\r\n", "ftp", Likely, 0},
	{"ftp, many lines", "220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------\r\n220-You are user 1\r\n220 ok\r\n", "ftp", Certain, 0},
	{"ftp, line cut", "220 ProFTPD Ser", "ftp", Likely, 0},
	{"ftp, service ready in minutes", "120 FTP ready in 5 minutes\r\n", "ftp", Certain, 0},
	{"ftp of BusyBox", "220 Operation successful\r\n", "ftp", Likely, 0},
	{"ftp of BusyBox, commands", "220 Operation successful\r\n530 Login with USER+PASS\r\n", "ftp", Certain, 0},
	{"ftp, features", "220 Welcome\r\n211-Features:\r\n EPSV\r\n SIZE\r\n211 End\r\n", "ftp", Certain, 0},
	{"ftp, login", "220 Welcome\r\n530 Please login with USER and PASS.\r\n", "ftp", Certain, 0},
	{"ftp, greeting in many lines", "220-Welcome to a host with a long greeting\r\n220-line 2\r\n", "ftp", Weak, 0},
	{"smtp, greeting in many lines", "220-a.example welcomes you\r\n220-line 2\r\n", Unknown, None, 0},
	{"ftp refuses", "421 Too many FTP users\r\n", "ftp", Likely, 0},
	{"refused by someone", "421 Service not available.\r\n", Unknown, None, 0},
	{"220 alone", "220 \r\n", Unknown, None, 0},
	{"220 with anything", "220 Welcome\r\n", Unknown, None, 0},
	{"hylafax", "220 host server (HylaFAX (tm) Version 6.0.7) ready.\r\n530 Please login with USER and PASS.\r\n", Unknown, None, 0},
	{"snpp", "220 localhost SNPP server (x) ready.\r\n", Unknown, None, 0},
	{"nntp", "200 news.example.com InterNetNews NNRP server ready\r\n", "nntp", Certain, 0},
	{"nntp, no posting", "201 server ready - no posting allowed\r\n", "nntp", Likely, 0},
	{"nntp, line cut", "200 Leafnode NNTP Dae", "nntp", Likely, 0},
	{"nntp refuses", "400 NNTP server unavailable.  Try later!\r\n", "nntp", Likely, 0},
	{"200 of another", "200 hello\r\n", Unknown, None, 0},
	{"nntp and its host's name alone", "200 nntp.example.com\r\n", Unknown, None, 0},
	{"dict", "220 dict.example.com dictd 1.13.0/rf on Linux 6.1.0 <auth.mime> <12.3456.789@dict.example.com>\r\n", "dict", Certain, 0},
	{"dict without capabilities", "220 dictd ready <1@example.com>\r\n", "dict", Certain, 0},
	{"dict, cut", "220 dict.example.com dictd 1.13.0/rf on Linux 6.1.0 <auth.mime> <12.34", Unknown, None, 0},
	{"220 with an address", "220 welcome, ask <admin@example.com>\r\n", Unknown, None, 0},
	{"tor control", "514 Authentication required.\r\n", Unknown, None, 0},
	{"daytime", "22 NOV 2026 03:25:52 UTC\r\n", Unknown, None, 0},

	{"pop3", "+OK Dovecot (Debian) ready.\r\n", "pop3", Likely, 0},
	{"pop3 by name", "+OK POP3 ready\r\n", "pop3", Certain, 0},
	{"pop3 with APOP", "+OK hello <1896.697170952@dbc.mtview.ca.us>\r\n", "pop3", Certain, 0},
	{"pop3, capabilities", "+OK hello\r\n+OK\r\nCAPA\r\nTOP\r\nUIDL\r\n.\r\n", "pop3", Certain, 27},
	{"pop3 without a text", "+OK\r\n", "pop3", Weak, 0},
	{"pop3 without a text, and a command", "+OK\r\n-ERR unknown\r\n", "pop3", Likely, 9},
	{"+OK twice", "+OK\r\n+OK\r\n", "pop3", Weak, 5},
	{"+OK and Redis' words", "+OK\r\n-ERR unknown command 'CAPA', with args beginning with: \r\n", "pop3", Weak, 5},
	{"-ERR alone", "-ERR Unknown command.\r\n", Unknown, None, 0},
	{"nats", "INFO {\"server_id\":\"x\"}\r\n-ERR 'Unknown Protocol Operation'\r\n", "nats", Certain, 24},
	{"nats, cut", "INFO {\"server_id\":\"NCXU2K\",\"version\":\"2.9", "nats", Likely, 18},
	{"INFO of another", "INFO {\"id\":\"x\"}\r\n", Unknown, None, 0},

	{"imap", "* OK [CAPABILITY IMAP4rev1 SASL-IR] ready.\r\n", "imap", Certain, 0},
	{"imap without the word", "* OK ready.\r\n", "imap", Likely, 0},
	{"imap, bye", "* BYE too many connections\r\n", "imap", Likely, 0},
	{"imap after a status", "* OK Waiting for authentication process to respond..\r\n* OK [CAPABILITY IMAP4rev1] x\r\n", "imap", Certain, 0},
	{"acap", "* ACAP (IMPLEMENTATION \"x\")\r\n", Unknown, None, 0},
	{"managesieve", "\"IMPLEMENTATION\" \"Dovecot\"\r\n\"SIEVE\" \"fileinto\"\r\nOK \"ready\"\r\n", "managesieve", Certain, 0},

	{"telnet", "\xff\xfb\x25\xff\xfb\x26\xff\xfd\x18", "telnet", Certain, 0},
	{"telnet, one option", "\xff\xfd\x18", "telnet", Weak, 0},
	{"telnet after text", "\r\nHello, this is FRRouting.\r\n\xff\xfb\x01\xff\xfb\x03Password: ", "telnet", Certain, 35},
	{"telnet, one option and text", "\xff\xfb\x01login: ", "telnet", Likely, 3},
	{"telnet, no such option", "\xff\xfb\x80\xff\xfb\x81", Unknown, None, 0},
	{"telnet, option and noise", "\xff\xfb\x01\x9c\x00\x13\x44", Unknown, None, 0},
	{"login prompt", "Debian GNU/Linux 12\r\nhost login: ", "telnet", Weak, 0},
	{"a text that says login", "please login first\r\n", Unknown, None, 0},

	{"redis", "+PONG\r\n", "redis", Certain, 0},
	{"redis wants a password", "-NOAUTH Authentication required.\r\n", "redis", Certain, 0},
	{"redis, protected", "-DENIED Redis is running in protected mode because\r\n", "redis", Certain, 0},
	{"redis, GET /", "-ERR wrong number of arguments for 'get' command\r\n", "redis", Certain, 0},
	{"redis, other command", "-ERR unknown command 'EHLO', with args beginning with: \r\n", "redis", Certain, 0},
	{"redis, a string", "$5\r\nhello\r\n", "redis", Likely, 0},
	{"redis, a string, cut", "$500\r\n# Server\r\nredis_version", "redis", Weak, 0},
	{"redis, no string", "$-1\r\n", "redis", Weak, 0},
	{"redis, a string that ends early", "$2\r\nhello\r\n", Unknown, None, 0},
	{"redis, a number", ":1000\r\n", "redis", Weak, 0},
	{"redis, strings", "*2\r\n$6\r\nmaxmem\r\n$1\r\n0\r\n", "redis", Likely, 0},
	{"redis, an array", "*2\r\n:1\r\n*1\r\n$1\r\nx\r\n", "redis", Certain, 0},
	{"redis, an array, cut", "*3\r\n:1\r\n:2\r\n:", "redis", Likely, 0},
	{"redis, a map", "%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n", "redis", Certain, 0},
	{"redis, too deep", strings.Repeat("*1\r\n", 12) + ":1\r\n", Unknown, None, 0},
	{"a price", "$5 each\r\n", Unknown, None, 0},
	{"pop3's words", "-ERR unknown command\r\n", Unknown, None, 0},
	{"irc", ":irc.example.com NOTICE * :*** Looking up your hostname...\r\n", "irc", Certain, 0},
	{"irc without a prefix", "NOTICE AUTH :*** Processing connection to irc.example.com\r\n", "irc", Certain, 0},
	{"irc, not registered", ":irc.example.com 451 * :You have not registered\r\n", "irc", Certain, 0},
	{"irc, cut", ":irc.example.com NOTICE * :*** Look", "irc", Likely, 0},
	{"irc hangs up", "ERROR :Closing Link: [192.0.2.1] (Throttled)\r\n", "irc", Likely, 0},
	{"irc, PING alone", "PING :x\r\n", Unknown, None, 0},
	{"stomp", "ERROR\nmessage:Bad command\n\n\x00", Unknown, None, 0},
	{"a colon", ":note to * :x\r\n", Unknown, None, 0},

	{"rsync", "@RSYNCD: 31.0\n", "rsync", Certain, 0},
	{"rsync, digests", "@RSYNCD: 32.0 sha512 sha256 sha1 md5 md4\n", "rsync", Certain, 0},
	{"rsync, cut", "@RSYNCD: 3", "rsync", Likely, 0},
	{"svn", "( success ( 2 2 ( ) ( edit-pipeline svndiff1 absent-entries ) ) ) ", "svn", Certain, 65},
	{"svn, cut", "( success ( 1 2 ( ANONYMOUS ) ( edit-pip", "svn", Likely, 18},
	{"a list", "( success ( 3 ) )", Unknown, None, 0},
	{"mpd", "OK MPD 0.23.5\n", "mpd", Certain, 0},
	{"OK alone", "OK\n", Unknown, None, 0},
	{"munin", "# munin node at node.example.com\n", "munin", Certain, 0},
	{"gpsd", "{\"class\":\"VERSION\",\"release\":\"3.22\",\"rev\":\"3.22\",\"proto_major\":3,\"proto_minor\":14}\r\n", "gpsd", Certain, 0},
	{"gpsd, cut", "{\"class\":\"VERSION\",\"release\":\"3.22\",\"rev", "gpsd", Likely, 0},
	{"json", "{\"class\":\"x\"}\r\n", Unknown, None, 0},
	{"clamd", "UNKNOWN COMMAND\n", "clamd", Likely, 0},
	{"beanstalkd", "UNKNOWN_COMMAND\r\n", Unknown, None, 0},
	{"spamd", "SPAMD/1.0 76 Bad header line: GET / HTTP/1.1\r\n", "spamd", Certain, 0},
	{"zmtp", "\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f", "zmtp", Certain, 0},
	{"zmtp, whole greeting", "\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x01NULL" + strings.Repeat("\x00", 48), "zmtp", Certain, 10},
	{"zmtp, cut", "\xff\x00\x00\x00\x00\x00\x00\x00\x01", Unknown, None, 0},
	{"kerberos", "\x00\x00\x00\x5b~Y0W\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x1e" + strings.Repeat("x", 77), "kerberos", Certain, 0},
	{"kerberos, cut", "\x00\x00\x00\x5b~Y0W\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x1e", "kerberos", Likely, 0},
	{"kerberos, ticket", "\x00\x00\x00\x5bmY0W\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x0d" + strings.Repeat("x", 77), "kerberos", Certain, 0},
	{"kerberos, type wrong", "\x00\x00\x00\x5bmY0W\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x0b" + strings.Repeat("x", 77), Unknown, None, 0},
	{"kerberos, lengths wrong", "\x00\x00\x00\x5c~Y0W\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x1e", Unknown, None, 0},

	{"memcached", "VERSION 1.6.18\r\n", "memcached", Certain, 0},
	{"memcached, ERROR", "ERROR\r\nERROR\r\n", Unknown, None, 0},
	{"memcached, statistics", "STAT pid 1023\r\nSTAT uptime 265\r\n", "memcached", Certain, 15},
	{"memcached, binary", "\x81\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x001.6.18", "memcached", Certain, 0},
	{"memcached, binary request", "\x80\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", Unknown, None, 0},

	{"mysql", "\x4a\x00\x00\x00\x0a8.0.36\x00\x08\x00\x00\x00abcdefgh\x00" + strings.Repeat("x", 0x4a-21), "mysql", Certain, 0},
	{"mysql, cut", "\x4a\x00\x00\x00\x0a8.0.36\x00\x08\x00\x00\x00abc", "mysql", Likely, 0},
	{"mysql, host blocked", "\x14\x00\x00\x00\xff\x69\x04Host 'x' is block", "mysql", Certain, 0},
	{"mysql X", "\x05\x00\x00\x00\x0b\x08\x05\x1a\x00", Unknown, None, 0},
	{"vnc", "RFB 003.008\n", "vnc", Certain, 0},
	{"vnc and more", "RFB 003.003\n\x00\x00\x00\x00", "vnc", Certain, 12},
	{"vnc, cut", "RFB 003.0", Unknown, None, 0},

	{"dns refuses", "\x00\x11\x12\x34\x80\x05\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01", "dns", Certain, 0},
	{"dns answers", "\x00\x20\x12\x34\x84\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00\x02\x00\x01\x00\x00\x02\x00\x01\x00\x00\x00\x01\x00\x04\x01a\x00\x00", "dns", Certain, 0},
	{"dns without a question", "\x00\x0c\x12\x34\x80\x01\x00\x00\x00\x00\x00\x00\x00\x00", "dns", Likely, 0},
	{"dns query", "\x00\x11\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01", Unknown, None, 0},
	{"dns, length wrong", "\x00\x12\x12\x34\x80\x05\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01", Unknown, None, 0},

	{"pptp", "\x00\x9c\x00\x01\x1a\x2b\x3c\x4d\x00\x02\x00\x00\x01\x00\x01\x00" + strings.Repeat("\x00", 140), "pptp", Certain, 0},
	{"pptp request", "\x00\x9c\x00\x01\x1a\x2b\x3c\x4d\x00\x01\x00\x00\x01\x00\x01\x00" + strings.Repeat("\x00", 140), Unknown, None, 0},
	{"pptp, wrong cookie", "\x00\x9c\x00\x01\x1a\x2b\x3c\x4e\x00\x02\x00\x00\x01\x00\x01\x00" + strings.Repeat("\x00", 140), Unknown, None, 0},

	{"oracle refuses", "\x00\x25\x00\x00\x04\x00\x00\x00\x22\x00\x00\x19(DESCRIPTION=(ERR=12514))", "oracle", Certain, 0},
	{"oracle wants it again", "\x00\x08\x00\x00\x0b\x00\x00\x00", "oracle", Likely, 0},
	{"oracle accepts", "\x00\x20\x00\x00\x02\x00\x00\x00\x01\x39\x0c\x41\x20\x00\xff\xff\x01\x00\x00\x00\x00\x20\x41\x41\x00\x00\x00\x00\x00\x00\x00\x00", "oracle", Certain, 0},
	{"omapi", "\x00\x00\x00\x64\x00\x00\x00\x18", Unknown, None, 0},

	{"postgres, no SSL", "N", "postgres", Weak, 0},
	{"postgres, error", "E\x00\x00\x00\x1cSFATAL\x00C28000\x00Mno user\x00\x00", "postgres", Certain, 0},
	{"postgres 2", "EFATAL:  unsupported frontend protocol\n\x00", "postgres", Likely, 0},
	{"postgres, both answers", "NE\x00\x00\x00\x1cSFATAL\x00C28000\x00Mno user\x00\x00", "postgres", Certain, 0},
	{"a word with N", "No", Unknown, None, 0},

	{"mqtt", "\x20\x02\x00\x05", "mqtt", Certain, 0},
	{"mqtt 5", "\x20\x06\x00\x87\x03\x21\x00\x14", "mqtt", Certain, 0},
	{"mqtt, no such code", "\x20\x02\x00\x07", Unknown, None, 0},
	{"mqtt, cut", "\x20\x02\x00", Unknown, None, 0},

	{"amqp header", "AMQP\x00\x00\x09\x01", "amqp", Certain, 0},
	{"amqp 1.0 with SASL", "AMQP\x03\x01\x00\x00", "amqp", Certain, 0},
	{"amqp start", "\x01\x00\x00\x00\x00\x00\x06\x00\x0a\x00\x0a\x00\x09\xce", "amqp", Certain, 0},
	{"amqp, no such version", "AMQP\x07\x07\x07\x07", Unknown, None, 0},

	{"rdp", "\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x01\x08\x00\x01\x00\x00\x00", "rdp", Certain, 0},
	{"rdp fails", "\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x03\x00\x08\x00\x05\x00\x00\x00", "rdp", Certain, 0},
	{"rdp, MCS disconnect", "\x03\x00\x00\x09\x02\xf0\x80\x21\x80", "rdp", Likely, 0},
	{"a connection confirm alone", "\x03\x00\x00\x0b\x06\xd0\x00\x00\x12\x34\x00", "rdp", Weak, 0},
	{"siemens, confirm alone", "\x03\x00\x00\x16\x11\xd0\x00\x04\x00\x07\x00\xc0\x01\x0a\xc1\x02\x01\x00\xc2\x02\x01\x02", "siemens", Weak, 0},
	{"iso-tsap disconnects", "\x03\x00\x00\x0b\x06\x80\x00\x01\x00\x04\x82", "siemens", Weak, 0},
	{"iso-tsap finds an error", "\x03\x00\x00\x09\x04\x70\x00\x01\x00", "siemens", Weak, 0},
	{"siemens", "\x03\x00\x00\x16\x11\xd0\x00\x04\x00\x07\x00\xc0\x01\x0a\xc1\x02\x01\x00\xc2\x02\x01\x02" +
		"\x03\x00\x00\x1b\x02\xf0\x80\x32\x03\x00\x00\x00\x00\x00\x08\x00\x00\x00\x00\xf0\x00\x00\x01\x00\x01\x00\xf0", "siemens", Certain, 0},

	{"mssql", "\x04\x01\x00\x2b\x00\x00\x01\x00\x00\x00\x1a\x00\x06\x01\x00\x20\x00\x01\x02\x00\x21\x00\x01\x03\x00\x22\x00\x00\x04\x00\x22\x00\x01\xff" +
		"\x0f\x00\x07\xd0\x00\x00\x02\x00\x00", "mssql", Certain, 0},
	{"smb2", "\x00\x00\x00\x50\xfeSMB\x40\x00" + strings.Repeat("\x00", 10) + "\x01" + strings.Repeat("\x00", 47) + "\x41\x00" + strings.Repeat("\x00", 14), "smb", Certain, 0},
	{"smb1", "\x00\x00\x00\x25\xffSMB\x72\x00\x00\x00\x00\x98" + strings.Repeat("\x00", 22) + "\x01\xff\xff\x00\x00", "smb", Certain, 0},
	{"smb1 request", "\x00\x00\x00\x25\xffSMB\x72\x00\x00\x00\x00\x18" + strings.Repeat("\x00", 22) + "\x01\xff\xff\x00\x00", Unknown, None, 0},

	{"ipp", "HTTP/1.1 200 OK\r\nContent-Type: application/ipp\r\n\r\n\x02\x00\x04\x06", "ipp", Certain, 50},
	{"ipp, web page of CUPS", "HTTP/1.1 404 Not Found\r\nServer: CUPS/2.4 IPP/2.1\r\n\r\n", "ipp", Likely, 0},
	{"kubernetes refuses", "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n\r\n{\n  \"kind\": \"Status\",\n  \"apiVersion\": \"v1\",\n  \"code\": 403\n}", "kubernetes", Certain, 0},
	{"kubernetes, version", "HTTP/1.1 200 OK\r\n\r\n{\"major\": \"1\", \"gitVersion\": \"v1.29\", \"gitTreeState\": \"clean\", \"goVersion\": \"go1.21\"}", "kubernetes", Certain, 0},
	{"json of others", "HTTP/1.1 200 OK\r\n\r\n{\"kind\": \"Status\"}", "http", Certain, 19},
	{"mongodb over HTTP", "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nIt looks like you are trying to access MongoDB over HTTP on the native driver port.\r\n", "mongodb", Certain, 128},
	{"mongodb", "\x35\x00\x00\x00\x01\x00\x00\x00\x07\x00\x00\x00\x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00" +
		"\x11\x00\x00\x00\x01ok\x00\x00\x00\x00\x00\x00\x00\xf0\x3f\x00", "mongodb", Certain, 0},
	{"mongodb, newer", "\x26\x00\x00\x00\x01\x00\x00\x00\x07\x00\x00\x00\xdd\x07\x00\x00\x00\x00\x00\x00\x00" +
		"\x11\x00\x00\x00\x01ok\x00\x00\x00\x00\x00\x00\x00\xf0\x3f\x00", "mongodb", Certain, 0},

	{"modbus, no such function", "ZG\x00\x00\x00\x03\x00\xab\x01", "modbus", Certain, 0},
	{"modbus, identification", "ZG\x00\x00\x00\x0d\x00\x2b\x0e\x01\x01\x00\x00\x01\x00\x03abc", "modbus", Certain, 0},
	{"modbus, registers", "\x00\x01\x00\x00\x00\x05\x01\x03\x02\x00\x00", "modbus", Likely, 0},
	{"modbus, no such function, that of GET", "GE\x00\x00\x00\x03H\xd4\x01", "modbus", Likely, 0},
	{"modbus, one coil written", "\x00\x01\x00\x00\x00\x06\x01\x05\x00\xac\xff\x00", "modbus", Likely, 0},
	{"modbus, no such coil", "\x00\x01\x00\x00\x00\x06\x01\x05\x00\xac\xff\x01", Unknown, None, 0},
	{"modbus, registers written", "\x00\x01\x00\x00\x00\x06\x01\x10\x00\x01\x00\x02", "modbus", Likely, 0},
	{"modbus, length wrong", "ZG\x00\x00\x00\x04\x00\xab\x01", Unknown, None, 0},
	{"ipmi", "\x06\x00\xff\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10\x81\x1c\x63\x20\x00\x38\x00\x01\x97\x04\x03\x00\x00\x00\x00\x09", "ipmi", Certain, 0},
	{"dnp3", "\x05\x64\x05\x0b\x01\x00\x0a\x00", Unknown, None, 0},
	{"fox", "fox a 0 -1 fox hello\n{\nfox.version=s:1.0\n", "fox", Certain, 20},
	{"rtsp", "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", "rtsp", Certain, 0},
	{"rtsp's version from an HTTP server", "RTSP/1.0 200 OK\r\nServer: TwistedWeb/22.4.0\r\n\r\n", "rtsp", Weak, 0},
	{"sip", "SIP/2.0 405 Method Not Allowed\r\nCSeq: 1 OPTIONS\r\n\r\n", "sip", Certain, 0},
	{"sip's version from an HTTP server", "SIP/2.0 404 Not Found\r\nServer: TwistedWeb/22.4.0\r\n\r\n", "sip", Weak, 0},
	{"x11 refuses", "\x00\x08\x0b\x00\x00\x00\x02\x00no entry", "x11", Certain, 0},
	{"bgp open", bgpMarker + "\x00\x1d\x01\x04\xfd\xe9\x00\xb4\xc6\x12\x0b\x0c\x00", "bgp", Certain, 0},
	{"bgp notification", bgpMarker + "\x00\x15\x03\x06\x05", "bgp", Certain, 0},
	{"bgp, cut", bgpMarker + "\x00\x1d\x01\x04", "bgp", Likely, 0},
	{"bgp, keep-alive", bgpMarker + "\x00\x13\x04", Unknown, None, 0},
	{"socks5", "\x05\x00", "socks5", Weak, 0},
	{"socks5 of Tor", "HTTP/1.0 501 Tor is not an HTTP Proxy\r\nContent-Type: text/html\r\n\r\n", "socks5", Likely, 37},
	{"enip", "\x65\x00\x04\x00\x01\x00\x00\x00\x00\x00\x00\x00abcdefgh\x00\x00\x00\x00\x01\x00\x00\x00", "enip", Certain, 0},
	{"enip request", "\x65\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00abcdefgh\x00\x00\x00\x00\x01\x00\x00\x00", Unknown, None, 0},
	{"omron", "FINS\x00\x00\x00\x10\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xfb\x00\x00\x00\x21", "omronfins", Certain, 0},
	{"omron request", "FINS\x00\x00\x00\x0c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", Unknown, None, 0},
	{"codesys", "\xbb\xbb\x96\x00\x00\x00\xe8\x03" + strings.Repeat("\x00", 56) + "Windows" + strings.Repeat("\x00", 85), "codesys2", Certain, 0},
	{"drda", "\x00\x16\xd0\x03\x00\x01\x00\x10\x14\x43\x00\x0c\x11\x5a\xe2\xd8\xd3\xf1\xf1\xf0\xf1\xf3", "drda", Certain, 0},
	{"check point", "Y\x00\x00\x00", "checkpoint", Likely, 0},

	{"ldap", "0\x0c\x02\x01\x01a\x07\n\x01\x00\x04\x00\x04\x00", Unknown, None, 0},
	{"time", "\xee\xac\xdf@", Unknown, None, 0},
	{"one zero", "\x00", Unknown, None, 0},
	{"nbd", "NBDMAGICIHAVEOPT\x00\x03", Unknown, None, 0},
	{"tarantool", "Tarantool 2.6.0 (Binary) 521437b9-b8ed-4af9-83ae-7d2c0ccfbbf0  \n", Unknown, None, 0},
	{"openvpn", "\x00\x0e\x40\x01\x02\x03\x04\x05\x06\x07\x08\x00\x00\x00\x00\x00", Unknown, None, 0},
	{"tacacs", "\xc0\x01\x02\x00\x00\x00\x00\x01\x00\x00\x00\x06\x01\x00\x00\x00\x00\x00", Unknown, None, 0},
}

func TestAnswers(t *testing.T) {
	var v Verdict
	for _, a := range answers {
		Classify(&v, nil, []byte(a.received))
		at := a.at
		if at == 0 {
			at = len(a.received)
		}
		if v.Label != a.label || v.Evidence != a.evidence || v.Bytes != at {
			t.Errorf("%s: %s, %s, at byte %d; want %s, %s, at byte %d", a.name, v.Label, v.Evidence, v.Bytes, a.label, a.evidence, at)
		}
	}
}

// TestEverySignature: every protocol with a signature has an answer above that reaches its label.
func TestEverySignature(t *testing.T) {
	tested := map[string]bool{"dnp3": true} // by TestDNP3
	for _, a := range answers {
		tested[a.label] = true
	}
	for _, p := range Table() {
		if p.Match != nil && !tested[p.Name] {
			t.Errorf("%s has no answer in the table of tests", p.Name)
		}
	}
}

// TestDNP3 compares the checksum with frames that other implementations sent.
func TestDNP3(t *testing.T) {
	for _, frame := range []string{"056405c900000000364c", "056405c901000000de8e", "056405c90e0000009bad"} {
		b, _ := hex.DecodeString(frame)
		if crc := dnp3CRC(b[:8]); byte(crc) != b[8] || byte(crc>>8) != b[9] {
			t.Errorf("%s: CRC %04x", frame, crc)
		}
	}
	header := []byte{5, 0x64, 5, 0x0b, 1, 0, 10, 0} // link status, from outstation 10
	crc := dnp3CRC(header)
	answer := append(header, byte(crc), byte(crc>>8))
	var v Verdict
	if Classify(&v, nil, answer); v.Label != "dnp3" || v.Evidence != Certain {
		t.Errorf("%+v", v)
	}
	answer[9]++
	if Classify(&v, nil, answer); v.Label != Unknown {
		t.Errorf("wrong CRC: %+v", v)
	}
}

// TestPCP: what tells pgpool's PCP from Postgres is the file in which it found an error.
func TestPCP(t *testing.T) {
	var v Verdict
	const fields = "SFATAL\x00CXX000\x00Mfailed\x00F%s\x00L1\x00\x00"
	for file, want := range map[string]string{"pcp_worker.c": Unknown, "auth.c": "postgres"} {
		body := fmt.Sprintf(fields, file)
		if Classify(&v, nil, append([]byte{'E', 0, 0, 0, byte(4 + len(body))}, body...)); v.Label != want {
			t.Errorf("%s: %s, %s", file, v.Label, v.Evidence)
		}
	}
}

// TestMirrored: a header that comes back is an echo, but for that of AMQP 1.0, which is weak evidence.
func TestMirrored(t *testing.T) {
	var v Verdict
	for header, want := range map[string]string{
		"AMQP\x00\x00\x09\x01": "echo none", "AMQP\x00\x01\x00\x00": "amqp weak", "AMQP\x03\x01\x00\x00": "amqp weak",
	} {
		sent := []byte(header)
		if Classify(&v, sent, sent); v.Label+" "+v.Evidence.String() != want {
			t.Errorf("%q: %s, %s", header, v.Label, v.Evidence)
		}
		if Classify(&v, sent, slices.Concat(sent, sent)); v.Label != Echo {
			t.Errorf("%q, twice: %s, %s", header, v.Label, v.Evidence)
		}
		if Classify(&v, []byte("GET / HTTP/1.1\r\n"), sent); v.Label != "amqp" || v.Evidence != Certain {
			t.Errorf("%q to GET: %s, %s", header, v.Label, v.Evidence)
		}
	}
}

// TestAllMatches: what was outranked stays in the verdict, in table order.
func TestAllMatches(t *testing.T) {
	var v Verdict
	for answer, want := range map[string]string{
		"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n": "tls likely, http certain",
		"HTTP/1.1 200 OK\r\nContent-Type: application/ipp\r\n\r\n":                          "ipp certain, http certain",
		"HTTP/1.0 501 Tor is not an HTTP Proxy\r\n\r\n":                                     "socks5 likely, http weak",
		"HTTP/1.1 200 OK\r\n\r\nline\nSSH-2.0-x\n":                                          "http certain, ssh likely",
	} {
		Classify(&v, nil, []byte(answer))
		var found []string
		for _, m := range v.Matches {
			found = append(found, m.Protocol.Name+" "+m.Evidence.String())
		}
		if got := strings.Join(found, ", "); got != want {
			t.Errorf("%q: %s, want %s", answer, got, want)
		}
	}
}

// TestSegments: while an answer comes in, one byte at a time, the label never changes from one protocol to another.
func TestSegments(t *testing.T) {
	var v Verdict
	for _, a := range answers {
		before, evidence := Unknown, None
		for n := 1; n <= len(a.received); n++ {
			Classify(&v, nil, []byte(a.received[:n]))
			if evidence >= Likely && v.Label != before && !refines(v, before) {
				t.Errorf("%s: %s becomes %s at byte %d", a.name, before, v.Label, n)
			}
			before, evidence = v.Label, v.Evidence
		}
	}
}

// refines tells whether the label before is still among the matches, outranked by a more specific one.
func refines(v Verdict, before string) bool {
	for _, m := range v.Matches {
		if m.Protocol.Name == before {
			return true
		}
	}
	return false
}

func TestDetails(t *testing.T) {
	for _, c := range []struct{ label, received, want string }{
		{"http", "HTTP/1.1 404 Not Found\r\nServer: nginx/1.22.1\r\n\r\n<html><TITLE>\n Not  found</title>", "status=404 server=nginx/1.22.1 title=Not found"},
		{"tls", "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", "note=TLS port that got plain HTTP status=400"},
		{"tls", "\x15\x03\x01\x00\x02\x02\x46", "message=alert version=TLS 1.0 alert=protocol_version (70)"},
		{"tls", "\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" + strings.Repeat("r", 32) + "\x00\xc0\x2f\x00", "message=server hello version=TLS 1.2 cipher=0xc02f"},
		{"tls", "\x16\x03\x03\x00\x32\x02\x00\x00\x2e\x03\x03" + string(helloRetry) + "\x00\x13\x01\x00\x00\x06\x00\x2b\x00\x02\x03\x04", "message=hello retry request version=TLS 1.3 cipher=0x1301"},
		{"ssh", "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "version=2.0 software=OpenSSH_9.2p1 comment=Debian-2"},
		{"mysql", "\x14\x00\x00\x00\xff\x6a\x04Host 'x' is not a", "error=1130 note=host not allowed message=Host 'x' is not a"},
		{"smtp", "220 mail.example.com ESMTP Postfix\r\n", "code=220 banner=mail.example.com ESMTP Postfix"},
		{"vnc", "RFB 003.008\n", "version=3.8"},
		{"mqtt", "\x20\x02\x00\x05", "code=5"},
		{"memcached", "VERSION 1.6.18\r\n", "form=text version=1.6.18"},
		{"telnet", "\xff\xfd\x18\xff\xfd\x20login: ", "banner=login:"},
		{"drda", "\x00\x16\xd0\x03\x00\x01\x00\x10\x14\x43\x00\x0c\x11\x5a\xe2\xd8\xd3\xf1\xf1\xf0\xf1\xf3", "release=SQL11013"},
		{"http", "SSH-2.0-x\r\n", ""},
		{Unknown, "anything", ""},
	} {
		var got []string
		for _, d := range Details(c.label, []byte(c.received)) {
			got = append(got, d.Key+"="+d.Value)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s %q:\n%s\nwant %s", c.label, c.received, s, c.want)
		}
	}
}

// TestDetailsArePrintable: whatever a server sends, a table of sub-labels can be printed.
func TestDetailsArePrintable(t *testing.T) {
	answer := []byte("HTTP/1.1 200 OK\r\nServer: a\x1b[31m\xff\x00b\r\n\r\n")
	for _, d := range Details("http", answer) {
		if !isPrintable([]byte(d.Value)) {
			t.Errorf("%s: %q", d.Key, d.Value)
		}
	}
}
