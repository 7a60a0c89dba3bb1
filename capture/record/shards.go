package record

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"laserdisc/capture/session"
	"laserdisc/capture/target"
)

// ofOneShard are the manifest's keys in which the shards of one scan may differ: each has its machine, its time, its rate
// and its outcome. In all others they agree, those that are yet to be added too.
var ofOneShard = []string{
	"revision", "go", "goarch", "start", "end", "interrupted", "ended_by", "problem", "not_probed", "arguments",
	"targets", // in what words: target_digest says which they are
	"target_count", "lists", "excluded", "max_targets", "max_results", "max_runtime", "rate", "sources", "cookie_key",
	"chunk_size", "compression", "chunks", "partial", "link", "counters", "drops", "shards",
}

// IsShard reports whether the scan is a shard, or some of the shards, of one that is larger.
func (m *Manifest) IsShard() bool { return m.Sample != nil && m.Sample.Shards > 1 }

// Recorded are the manifests of the records that m is about: those of its Shards, or m alone.
func (m *Manifest) Recorded() []*Manifest {
	if len(m.Shards) > 0 {
		return m.Shards
	}
	return []*Manifest{m}
}

// CheckShards reports what cannot be in Shards, or in the Sample of one.
func (m *Manifest) CheckShards() error {
	last := uint64(0)
	for i, s := range m.Shards {
		switch {
		case s == nil || !s.IsShard() || len(s.Shards) > 0:
			return fmt.Errorf("number %d of its shards is none", i)
		case s.Sample.Shard <= last || s.Sample.Shard > s.Sample.Shards:
			return fmt.Errorf("number %d of its shards is %d/%d", i, s.Sample.Shard, s.Sample.Shards)
		}
		last = s.Sample.Shard
	}
	if m.IsShard() && len(m.Shards) == 0 && (m.Sample.Shard == 0 || m.Sample.Shard > m.Sample.Shards) {
		return fmt.Errorf("it is shard %d/%d", m.Sample.Shard, m.Sample.Shards)
	}
	return nil
}

// Missing names the scan's shards that m is not about, as in "2, 5-8"; "" if there are none, or if it is no shard.
func (m *Manifest) Missing() string {
	if !m.IsShard() {
		return ""
	}
	var list []string
	gap := func(first, last uint64) {
		switch {
		case first == last:
			list = append(list, fmt.Sprint(first))
		case first < last:
			list = append(list, fmt.Sprintf("%d-%d", first, last))
		}
	}
	last := uint64(0)
	for _, s := range m.Recorded() {
		gap(last+1, s.Sample.Shard-1)
		last = s.Sample.Shard
	}
	gap(last+1, m.Sample.Shards)
	return strings.Join(list, ", ")
}

// OneScan reports in what o differs from m that shards of one scan agree in; nil if nothing.
func (m *Manifest) OneScan(o *Manifest) error {
	if !m.IsShard() || !o.IsShard() {
		return errors.New("it is not a shard")
	}
	a, err := m.ofScan()
	if err != nil {
		return err
	}
	b, err := o.ofScan()
	if err != nil {
		return err
	}
	keys := maps.Clone(a)
	maps.Copy(keys, b)
	if !bytes.Equal(a["seed"], b["seed"]) {
		delete(keys, "target_digest") // which follow from the seed, and say no more
		delete(keys, "draw_key")
	}
	var list []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !bytes.Equal(a[key], b[key]) {
			list = append(list, fmt.Sprintf("%s is %s, not %s", key, cmp.Or(string(b[key]), "missing"), cmp.Or(string(a[key]), "missing")))
		}
	}
	if len(list) > 0 {
		return errors.New(strings.Join(list, "; "))
	}
	return nil
}

// ofScan are the manifest's values that all shards of a scan have, by their keys.
func (m *Manifest) ofScan() (map[string]json.RawMessage, error) {
	c := *m
	sample := *m.Sample
	sample.Shard = 0
	c.Sample = &sample
	text, err := c.encode("")
	if err != nil {
		return nil, err
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(text, &values); err != nil {
		return nil, fmt.Errorf("record: manifest: %w", err)
	}
	for _, key := range ofOneShard {
		delete(values, key)
	}
	return values, nil
}

// JoinShards makes one manifest of those of several shards, of whom OneScan reports nothing and none is twice: what was
// counted is added up, and it starts with the first and ends with the last. With all shards of the scan it is that of a
// scan without any.
func JoinShards(list []*Manifest) (*Manifest, error) {
	var shards []*Manifest
	for _, m := range list {
		shards = append(shards, m.Recorded()...)
	}
	slices.SortFunc(shards, func(a, b *Manifest) int { return cmp.Compare(a.Sample.Shard, b.Sample.Shard) })
	sum, sample := *shards[0], *shards[0].Sample
	sum.Shards, sum.Sample, sum.Partial = shards, &sample, ""
	sample.Shard = 0
	if uint64(len(shards)) == sample.Shards {
		sample.Shard, sample.Shards = 1, 1
	}
	if sum.Targets != nil {
		var spec target.Spec
		err := json.Unmarshal(sum.Targets, &spec)
		if err == nil {
			spec.Shard = ""
			sum.Targets, err = json.Marshal(spec)
		}
		if err != nil {
			return nil, fmt.Errorf("record: manifest: targets: %w", err)
		}
	}
	sum.Sources = slices.Clone(sum.Sources)
	for _, s := range shards[1:] {
		sum.join(s)
	}
	return &sum, nil
}

// join adds another shard. What the machines of the two have not in common is left empty: Shards has it.
func (m *Manifest) join(s *Manifest) {
	m.Revision, m.Go, m.GOARCH = common(m.Revision, s.Revision), common(m.Go, s.Go), common(m.GOARCH, s.GOARCH)
	if s.Start.Before(m.Start) {
		m.Start = s.Start
	}
	if s.End.IsZero() || !m.End.IsZero() && s.End.After(m.End) {
		m.End = s.End
	}
	m.Interrupted = m.Interrupted || s.Interrupted
	if m.EndedBy == EndedTargets || s.EndedBy == "" {
		m.EndedBy = s.EndedBy
	}
	m.NotProbed += s.NotProbed
	m.TargetCount += s.TargetCount
	m.Rate, m.MaxTargets, m.MaxResults = limits(m.Rate, s.Rate), limits(m.MaxTargets, s.MaxTargets), limits(m.MaxResults, s.MaxResults)
	if m.MaxRuntime != 0 && (s.MaxRuntime == 0 || s.MaxRuntime > m.MaxRuntime) {
		m.MaxRuntime = s.MaxRuntime
	}
	for _, a := range s.Sources {
		if !slices.Contains(m.Sources, a) {
			m.Sources = append(m.Sources, a)
		}
	}
	if m.CookieKey != s.CookieKey {
		m.CookieKey = session.Key{}
	}
	m.Chunks += s.Chunks
	if !reflect.DeepEqual(m.Link, s.Link) {
		m.Link = Link{}
	}
	m.Counters.Add(&s.Counters)
	m.Drops.Kernel += s.Drops.Kernel
	m.Drops.Interface += s.Drops.Interface
}

func common(a, b string) string {
	if a == b {
		return a
	}
	return ""
}

// limits adds two limits, of which 0 is none.
func limits(a, b uint64) uint64 {
	if a == 0 || b == 0 {
		return 0
	}
	return a + b
}
