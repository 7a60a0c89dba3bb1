package record_test

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"laserdisc/capture/record"
)

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
