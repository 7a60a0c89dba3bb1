package servers

import (
	"encoding/binary"
	"fmt"
	"strings"

	"laserdisc/capture/lab/draw"
)

// databaseProtocols are those of databases and caches: MySQL, PostgreSQL, SQL Server (MS-TDS), Oracle (TNS), MongoDB, Redis,
// Memcached.
var databaseProtocols = []*Protocol{
	{
		Name: "mysql", Label: "mysql", First: true,
		answers: Answers{TLS: 0.99, Newlines: 0.99, HTTP: 0.99, Wait: 1},
		greet:   greetMySQL, reply: replyMySQL,
	},
	{Name: "postgres", Label: "postgres", own: []Kind{Postgres}, answers: Answers{TLS: 0.01, Newlines: 0.01, HTTP: 0.01}, reply: replyPostgres},
	{Name: "mssql", Label: "mssql", own: []Kind{MSSQL}, reply: replyMSSQL},
	{Name: "oracle", Label: "oracle", own: []Kind{Oracle}, reply: replyOracle},
	{Name: "mongodb", Label: "mongodb", own: []Kind{MongoDB}, answers: Answers{TLS: 0.01, HTTP: 0.90}, reply: replyMongoDB},
	{Name: "redis", Label: "redis", own: []Kind{Redis}, answers: Answers{TLS: 0.09, HTTP: 0.76}, reply: replyRedis},
	{Name: "memcached", Label: "memcached", own: []Kind{Memcached}, answers: Answers{TLS: 0.53, Newlines: 0.53, HTTP: 0.30}, reply: replyMemcached},
}

// greetMySQL appends the initial handshake packet, version 10, or the error that refuses a host
// (MySQL internals, "Protocol::HandshakeV10", "ERR_Packet").
func greetMySQL(b []byte, s *Service) []byte {
	if s.Unit(draw.ForText) < 0.35 {
		return appendMySQL(b, 0, "\xff\x6a\x04Host 'scanner.example.org' is not allowed to connect to this MySQL server")
	}
	version := pick(s, "5.7.44-log", "8.0.36", "5.5.5-10.11.6-MariaDB-0+deb12u1", "5.6.51", "5.1.73-community")
	body := "\x0a" + version + "\x00" + string(appendRandom(nil, s, 4)) + "8wG?kB|z\x00" +
		"\xff\xf7\x21\x02\x00\xff\x81\x15" + strings.Repeat("\x00", 10) + "4nQ)p'D:hZ.x\x00mysql_native_password\x00"
	return appendMySQL(b, 0, body)
}

func replyMySQL(b []byte, s *Service, _ Kind, _ []byte) ([]byte, string) {
	if s.Unit(draw.ForText) < 0.35 {
		return b, "" // refused already
	}
	return appendMySQL(b, 1, "\xff\x84\x04#08S01Got packets out of order"), ""
}

func appendMySQL(b []byte, sequence byte, body string) []byte {
	return append(append(b, byte(len(body)), byte(len(body)>>8), byte(len(body)>>16), sequence), body...)
}

// replyPostgres answers an SSLRequest with one byte, and anything else with an error (PostgreSQL
// documentation, "Message Flow").
func replyPostgres(b []byte, s *Service, k Kind, said []byte) ([]byte, string) {
	if k == Postgres && len(said) <= 8 {
		return append(b, [...]byte{'N', 'S'}[s.Below(draw.ForVariant, 2)]), ""
	}
	text := "SFATAL\x00VFATAL\x00C0A000\x00Munsupported frontend protocol 65363.19778: server supports 3.0 to 3.0\x00Fpostmaster.c\x00L2143\x00RProcessStartupPacket\x00\x00"
	b = binary.BigEndian.AppendUint32(append(b, 'E'), uint32(4+len(text)))
	return append(b, text...), ""
}

// replyMSSQL answers PRELOGIN with version and encryption ([MS-TDS] 2.2.6.5).
func replyMSSQL(b []byte, s *Service, k Kind, _ []byte) ([]byte, string) {
	if k != MSSQL {
		return b, ""
	}
	version := pick(s, "\x0f\x00\x07\xd0\x00\x00", "\x0e\x00\x0d\x7e\x00\x00", "\x0a\x50\x17\x70\x00\x00", "\x10\x00\x03\xe8\x00\x00")
	const options = "\x00\x00\x1a\x00\x06\x01\x00\x20\x00\x01\x02\x00\x21\x00\x01\x03\x00\x22\x00\x00\x04\x00\x22\x00\x01\xff"
	body := options + version + "\x02" + "\x00" + "\x00"
	b = append(b, 4, 1)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(body)))
	return append(append(b, 0, 0, 1, 0), body...), ""
}

// replyOracle answers a TNS CONNECT: refused, by a listener that knows no such service; or resend.
func replyOracle(b []byte, s *Service, k Kind, _ []byte) ([]byte, string) {
	if k != Oracle {
		return b, ""
	}
	if s.Unit(draw.ForVariant) < 0.2 {
		return append(b, 0, 8, 0, 0, 11, 0, 0, 0), ""
	}
	text := "(DESCRIPTION=(TMP=)(VSNNUM=" + pick(s, "186647552", "202375680", "318767104") + ")(ERR=12504)(ERROR_STACK=(ERROR=(CODE=12504)(EMFI=4))))"
	b = binary.BigEndian.AppendUint16(b, uint16(12+len(text)))
	b = append(b, 0, 0, 4, 0, 0, 0, 34, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(text)))
	return append(b, text...), ""
}

// replyMongoDB answers hello with a document (BSON 1.1, MongoDB wire protocol), by the opcode it
// was asked with, and HTTP in words.
func replyMongoDB(b []byte, s *Service, k Kind, said []byte) ([]byte, string) {
	if k != MongoDB {
		return append(b, "HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 85\r\n\r\nIt looks like you are trying to access MongoDB over HTTP on the native driver port.\r\n"...), ""
	}
	document := append([]byte{0, 0, 0, 0}, "\x08ismaster\x00\x01\x10maxBsonObjectSize\x00\x00\x00\x00\x01\x10maxMessageSizeBytes\x00\x00\x6c\xdc\x02\x10maxWireVersion\x00"...)
	document = append(document, byte(s.Below(draw.ForVariant, 18)+4), 0, 0, 0)
	document = append(document, "\x01ok\x00\x00\x00\x00\x00\x00\x00\xf0\x3f\x00"...)
	binary.LittleEndian.PutUint32(document, uint32(len(document)))
	request, opcode := uint32(0), uint32(2004)
	if len(said) >= 16 {
		request, opcode = binary.LittleEndian.Uint32(said[4:]), binary.LittleEndian.Uint32(said[12:])
	}
	head := make([]byte, 20) // OP_REPLY: flags, cursor, starting from, number of documents
	head[0], head[16] = 8, 1
	answer := uint32(1)
	if opcode == 2013 { // OP_MSG: flags, section of kind 0
		head, answer = make([]byte, 5), 2013
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(16+len(head)+len(document)))
	b = binary.LittleEndian.AppendUint32(b, 1+uint32(s.Below(draw.ForDetail, 1<<20)))
	b = binary.LittleEndian.AppendUint32(b, request)
	b = binary.LittleEndian.AppendUint32(b, answer)
	return append(append(b, head...), document...), ""
}

// replyRedis answers in RESP: protected mode, a password wanted, or open.
func replyRedis(b []byte, s *Service, k Kind, said []byte) ([]byte, string) {
	switch x := s.Unit(draw.ForVariant); {
	case x < 0.3:
		return append(b, "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface.\r\n"...), ""
	case x < 0.6 && k == Redis:
		return append(b, "-NOAUTH Authentication required.\r\n"...), ""
	case k == Redis:
		return append(b, "+PONG\r\n"...), ""
	case k == HTTP && x < 0.8:
		return append(b, "-ERR wrong number of arguments for 'get' command\r\n"...), ""
	}
	word, _, _ := strings.Cut(strings.TrimSpace(string(said[:min(len(said), 20)])), " ")
	if s.Unit(draw.ForDetail) < 0.5 {
		return fmt.Appendf(b, "-ERR unknown command '%s'\r\n", word), ""
	}
	return fmt.Appendf(b, "-ERR unknown command `%s`, with args beginning with: \r\n", word), ""
}

// replyMemcached answers "version" (protocol.txt of memcached); everything else is an ERROR, which
// identifies nobody.
func replyMemcached(b []byte, s *Service, k Kind, said []byte) ([]byte, string) {
	switch {
	case k == Memcached && len(said) > 0 && said[0] == 0x80:
		b = append(b, 0x81, said[1], 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		return append(b, "1.6.18"...), ""
	case k == Memcached:
		return append(b, "VERSION "+pick(s, "1.6.18", "1.5.22", "1.4.15")+"\r\n"...), ""
	}
	return append(b, strings.Repeat("ERROR\r\n", max(1, min(strings.Count(string(said), "\n"), 3)))...), "unknown"
}
