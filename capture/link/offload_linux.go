package link

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// offloadQueries are the ethtool commands that say whether an offload is on, in
// the order of their names.
var offloadQueries = []struct {
	name    string
	command uint32
	mask    uint32
}{
	{"gro", unix.ETHTOOL_GGRO, ^uint32(0)},
	{"gso", unix.ETHTOOL_GGSO, ^uint32(0)},
	{"lro", unix.ETHTOOL_GFLAGS, 1 << 15}, // ETH_FLAG_LRO
	{"rx-checksum", unix.ETHTOOL_GRXCSUM, ^uint32(0)},
	{"tso", unix.ETHTOOL_GTSO, ^uint32(0)},
	{"tx-checksum", unix.ETHTOOL_GTXCSUM, ^uint32(0)},
}

// offloads lists the offloads that are on; one that the driver knows nothing
// about is off.
func offloads(device string) ([]string, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, explain("read the offloads", err)
	}
	defer unix.Close(fd)
	var on []string
	for _, q := range offloadQueries {
		if value, err := ethtool(fd, device, q.command); err == nil && value&q.mask != 0 {
			on = append(on, q.name)
		}
	}
	return on, nil
}

// ethtool asks the driver for one value.
func ethtool(fd int, device string, command uint32) (uint32, error) {
	value := struct{ command, data uint32 }{command: command}
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte // the kernel's union is larger than a pointer
	}{data: unsafe.Pointer(&value)}
	copy(request.name[:unix.IFNAMSIZ-1], device)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return 0, errno
	}
	return value.data, nil
}
