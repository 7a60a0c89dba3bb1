package formats_test

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"laserdisc/capture/formats"
	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
	"laserdisc/capture/session"
)

// ssh is a service as a scan reports it.
var ssh = &session.Service{
	Service: netip.MustParseAddrPort("198.18.0.1:2222"), Source: netip.MustParseAddrPort("192.0.2.1:61001"),
	State: session.SendsData, Handshake: "wait", Label: "ssh", Evidence: handshake.Certain, End: 1_000_000_000,
	Last:     session.Last{Seq: 4321, Ack: 1235, Window: 502, TTL: 55, Flags: packet.PSH | packet.ACK},
	Response: []byte("SSH-2.0-x\r\n"),
}

func ExampleWriteLZR() {
	if err := formats.WriteLZR(os.Stdout, ssh, []string{"wait", "tls"}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"saddr":"198.18.0.1","daddr":"192.0.2.1","sport":2222,"dport":61001,"seqnum":4321,"acknum":1235,"window":502,"ttl":55,"ACK":true,"ACKed":false,"SYN":false,"RST":false,"FIN":false,"PUSH":true,"HandshakeNum":0,"fingerprint":"ssh","Timestamp":"1970-01-01T00:00:01Z","expectedRToLZR":"data","data":"SSH-2.0-x\r\n","data_base64":"U1NILTIuMC14DQo="}
}

func ExampleWriteZGrab() {
	if err := formats.WriteZGrab(os.Stdout, ssh); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 198.18.0.1,,ssh,2222
}

func ExampleClassify() {
	lines := `{"saddr":"198.18.0.1","sport":2222,"acknum":1,"fingerprint":"unknown","data":"SSH-2.0-x\r\n"}
{"ip":"198.18.0.2"}
{"ip":"198.18.0.3","data":{"ftp":{"status":"success","protocol":"ftp","result":{"banner":"220 FTP server ready.\r\n"}}}}
`
	err := formats.Classify(os.Stdout, strings.NewReader(lines), false, func(line int, err error) {
		fmt.Printf("line %d: %v\n", line, err)
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// line 2: no received_hex, received_base64, response or data in it
	// {"saddr":"198.18.0.1","sport":2222,"acknum":1,"fingerprint":"unknown","data":"SSH-2.0-x\r\n","label":"ssh","evidence":"certain","bytes":11,"matches":[{"label":"ssh","evidence":"certain","bytes":11}],"details":{"software":"x","version":"2.0"}}
	// {"ip":"198.18.0.3","data":{"ftp":{"status":"success","protocol":"ftp","result":{"banner":"220 FTP server ready.\r\n"}}},"label":"ftp","evidence":"certain","bytes":23,"matches":[{"label":"ftp","evidence":"certain","bytes":23}],"details":{"banner":"FTP server ready.","code":"220"}}
}
