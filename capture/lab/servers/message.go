package servers

import "laserdisc/capture/lab/draw"

// messageProtocols are those of message brokers: MQTT (OASIS 3.1.1) and AMQP (0-9-1).
var messageProtocols = []*Protocol{
	{
		Name: "mqtt", Label: "mqtt", own: []Kind{MQTT}, answers: Answers{TLS: 0.03},
		reply: func(b []byte, s *Service, k Kind, _ []byte) ([]byte, string) {
			if k != MQTT {
				return append(b, 0x20, 2, 0, 1), "" // CONNACK: unacceptable protocol version
			}
			return append(b, 0x20, 2, 0, [...]byte{0, 0, 5, 4}[s.Below(draw.ForVariant, 4)]), ""
		},
	},
	{
		Name: "amqp", Label: "amqp", own: []Kind{AMQP}, answers: Answers{TLS: 0.95, Newlines: 0.95, HTTP: 0.94},
		reply: func(b []byte, s *Service, k Kind, _ []byte) ([]byte, string) {
			if k != AMQP {
				return append(b, "AMQP\x00\x00\x09\x01"...), "" // section 4.2.2: the header that it wants
			}
			// Connection.Start: version 0-9, no properties but the product, PLAIN, en_US.
			body := "\x00\x0a\x00\x0a\x00\x09\x00\x00\x00\x15\x07productS\x00\x00\x00\x08RabbitMQ" +
				"\x00\x00\x00\x0ePLAIN AMQPLAIN\x00\x00\x00\x05en_US"
			b = append(b, 1, 0, 0, 0, 0, 0, byte(len(body)))
			return append(append(b, body...), 0xce), ""
		},
	},
}
