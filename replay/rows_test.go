package replay_test

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"laserdisc/capture/session"
	"laserdisc/replay"
)

// result is what was played back, with its rows.
type result struct {
	*replay.Result
	Attempts []*session.Attempt
	Services []*session.Service
	resumed  int // times that the partitions were told so, in all
}

// rows keeps what is found at some of the hosts.
type rows struct {
	attempts []*session.Attempt
	services []*session.Service
	resumed  int
}

func (r *rows) Attempt(a *session.Attempt) error {
	r.attempts = append(r.attempts, a.Clone())
	return nil
}

func (r *rows) Service(s *session.Service) error {
	r.services = append(r.services, s.Clone())
	return nil
}

func (r *rows) Resumed(unfinished []netip.AddrPort) {
	r.resumed++
	r.attempts = slices.DeleteFunc(r.attempts, func(a *session.Attempt) bool {
		return slices.Contains(unfinished, a.Service) && a.Visit != session.Ephemeral
	})
}

// keep makes a sink that keeps all rows; gathered gives them, in order.
func keep() (sink replay.Sink, gathered func(*replay.Result) *result) {
	var lock sync.Mutex
	var all []*rows
	sink = func(int) replay.Rows {
		lock.Lock()
		defer lock.Unlock()
		r := &rows{}
		all = append(all, r)
		return r
	}
	return sink, func(r *replay.Result) *result {
		out := &result{Result: r}
		for _, p := range all {
			out.Attempts = append(out.Attempts, p.attempts...)
			out.Services = append(out.Services, p.services...)
			out.resumed += p.resumed
		}
		slices.SortFunc(out.Attempts, func(a, b *session.Attempt) int {
			return cmp.Or(a.Service.Compare(b.Service), cmp.Compare(a.Number, b.Number), cmp.Compare(a.Visit, b.Visit), cmp.Compare(a.FirstFrame, b.FirstFrame))
		})
		slices.SortFunc(out.Services, func(a, b *session.Service) int { return a.Service.Compare(b.Service) })
		out.Attempts = slices.CompactFunc(out.Attempts, func(a, b *session.Attempt) bool {
			return a.Service == b.Service && a.Number == b.Number && a.Visit == b.Visit && !b.State.Connected()
		})
		return out
	}
}

func run(dir string, workers int) (*result, error) {
	sink, gathered := keep()
	r, err := replay.Run(context.Background(), dir, replay.Options{Workers: workers}, sink)
	if err != nil {
		return nil, err
	}
	return gathered(r), nil
}

func play(t testing.TB, dir string, workers int) *result {
	r, err := run(dir, workers)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// observe observes a capture, and makes services of its attempts.
func observe(paths ...string) (*result, error) {
	sink, gathered := keep()
	played, err := replay.Observe(context.Background(), paths, replay.Options{}, sink)
	if err != nil {
		return nil, err
	}
	r := gathered(played)
	for i := 0; i < len(r.Attempts); {
		var sum session.Summary
		at := r.Attempts[i].Service
		for ; i < len(r.Attempts) && r.Attempts[i].Service == at; i++ {
			sum.Add(r.Attempts[i])
		}
		if s, ok := sum.Service(); ok {
			r.Services = append(r.Services, s)
		}
	}
	return r, nil
}

// played passes on the services that were played.
func (r *result) played(each func(*session.Service) error) error {
	for _, s := range r.Services {
		if err := each(s); err != nil {
			return err
		}
	}
	return nil
}
