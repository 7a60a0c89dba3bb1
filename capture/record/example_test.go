package record_test

import (
	"errors"
	"fmt"
	"io"
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
