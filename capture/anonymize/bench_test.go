package anonymize

import "testing"

// BenchmarkPayload replaces what is in the payloads of the tests, some of which are names and addresses.
func BenchmarkPayload(b *testing.B) {
	k := sample(b)
	payload := make([]byte, 0, 4096)
	for b.Loop() {
		for _, c := range said {
			payload = append(payload[:0], c.was...)
			k.Payload(payload, own[:2]...)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(said)), "µs/payload")
}
