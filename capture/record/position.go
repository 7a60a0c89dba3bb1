package record

// Position returns how many bytes of the capture have been read, and how many it has, as they are on the disk.
func (r *Reader) Position() (read, size int64) { return r.block, 0 }
