package record_test

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"laserdisc/capture/record"
)

// A record is read frame by frame, in the order in which its packets counted.
func ExampleOpen() {
	r, err := record.Open("testdata/run")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	var f record.Frame
	for {
		err := r.Next(&f)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil { // such as a TruncatedError: what came before it is whole
			fmt.Println(err)
			return
		}
		fmt.Printf("frame %d, %v at %v: %d bytes\n", f.Number, f.Direction, time.Unix(0, f.Time).UTC(), f.Length)
	}
	// Output:
	// frame 1, sent at 2026-11-22 10:30:00.123456789 +0000 UTC: 60 bytes
	// frame 2, received at 2026-11-22 10:30:00.12345679 +0000 UTC: 61 bytes
	// frame 3, sent at 2026-11-22 10:30:00.123456791 +0000 UTC: 62 bytes
	// frame 4, received at 2026-11-22 10:30:00.123456792 +0000 UTC: 63 bytes
	// frame 5, sent at 2026-11-22 10:30:00.123456793 +0000 UTC: 64 bytes
}

// Two goroutines look at every frame of a record, which is decoded once.
func ExampleReader_NextBatch() {
	r, err := record.Open("testdata/chunks")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()

	const workers = 2
	var counts [workers]int
	var work [workers]chan record.Batch
	var group sync.WaitGroup
	for i := range work {
		work[i] = make(chan record.Batch, 4)
		group.Go(func() {
			for b := range work[i] {
				for _, f := range b.Frames {
					if int(f.Direction) == i {
						counts[i]++
					}
				}
				b.Release()
			}
		})
	}
	var b record.Batch
	for err = r.NextBatch(&b); err == nil; err = r.NextBatch(&b) {
		b.Hold(workers)
		for _, w := range work {
			w <- b
		}
		b.Release()
	}
	for _, w := range work {
		close(w)
	}
	group.Wait()
	_, closed := r.End()
	fmt.Println(counts[record.Sent], "sent,", counts[record.Received], "received")
	fmt.Println("to the end:", errors.Is(err, io.EOF) && closed)
	// Output:
	// 3 sent, 2 received
	// to the end: true
}
