package record

import (
	"strings"
	"testing"

	"laserdisc/capture/target"
)

func TestCaveats(t *testing.T) {
	whole := Manifest{End: testEnd, EndedBy: EndedTargets}
	killed, limited, cut, stopped, failed := whole, whole, whole, whole, whole
	killed.End, killed.EndedBy, killed.Partial = Manifest{}.End, "", "cut off after frame 5"
	nameless := whole
	nameless.End, nameless.EndedBy = Manifest{}.End, ""
	limited.EndedBy = EndedMaxTargets
	cut.Partial = "cut off after frame 7"
	stopped.Interrupted, stopped.EndedBy = true, EndedSignal
	failed.Interrupted, failed.EndedBy, failed.Problem = true, EndedError, "link: interface eth0 is gone"
	first, third := whole, cut
	first.Sample, third.Sample = &target.Sample{Shard: 1, Shards: 3}, &target.Sample{Shard: 3, Shards: 3}
	shards := whole
	shards.Sample, shards.Shards = &target.Sample{Shards: 3}, []*Manifest{&first, &third}
	for _, c := range []struct {
		of   *Manifest
		says string
	}{
		{&whole, ""},
		{&killed, "the tables have only a part of the record: cut off after frame 5; the scan was killed: not every target was probed"},
		{&nameless, "how the scan ended is not known, as its manifest.json is missing or of its start: maybe not every target was probed"},
		{&limited, "the scan was ended by --max-targets: not every target was probed"},
		{&stopped, "the scan was interrupted: not every target was probed"},
		{&failed, "the scan was ended by an error, and is not whole: link: interface eth0 is gone"},
		{&cut, "the tables have only a part of the record: cut off after frame 7"},
		{&Manifest{Observed: &Observed{}}, ""},
		{&shards, "of 3 shards of the scan, these are missing: 2; shard 3: the tables have only a part of the record: cut off after frame 7"},
	} {
		if says := strings.Join(c.of.Caveats(), "; "); says != c.says {
			t.Errorf("says %q, want %q", says, c.says)
		}
	}
}
