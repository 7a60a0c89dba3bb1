// Package session follows services through a scan, from the SYN to a label. In the order in which a service meets them:
//
//   - [Settings] are what a scan does: they stand in every run's manifest.
//   - [Machine] runs any number of services. A [Source] feeds it with events: a target is to be probed, a segment has
//     arrived, or a deadline has come. It gives a [Sink] the segments that it sends, and what it finds.
//   - identity gives each connection its source port, sequence number and clock, as keyed functions of the service. A sweep
//     holds nothing for a target until that answers with the right acknowledgement number.
//   - tracker folds the segments of one connection into the facts that its client can infer: an [Attempt].
//   - [Policy] says what is next for a service after an attempt: another handshake, a second look, a question about its
//     host, or the end.
//   - [Service] is what the attempts come to: a [State] and a label.
//   - [Observer] does the same for the connections of other clients, in a capture: it is the tracker, and the rules by
//     which attempts make a service.
//
// Nothing here does I/O or reads a clock: the same events give the same segments and the same results, which is what makes
// a recorded run play back.
package session
