package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"laserdisc/capture/record"
)

// nobody is who a scan becomes that root started.
const nobody = 65534

// A keeper is a thread that can take down, at the end, what only root can: the guard that keeps
// the kernel from answering. It alone keeps CAP_NET_ADMIN, and does not use it before.
type keeper struct {
	work chan func() error
	done chan error
}

// user is whom to become: who called sudo, or nobody.
func user() (uid, gid int) {
	uid, gid = nobody, nobody
	if u, err := strconv.Atoi(os.Getenv("SUDO_UID")); err == nil && u > 0 {
		uid = u
		if g, err := strconv.Atoi(os.Getenv("SUDO_GID")); err == nil && g > 0 {
			gid = g
		}
	}
	return uid, gid
}

// mayDrop reports whether privileges can and should be given up: this is root, the process was
// started for a scan alone (tests and the demo go on after theirs), and the user exists: where
// root of a user namespace is the only one, that one has no power outside it.
func mayDrop(uid int) bool {
	return os.Geteuid() == 0 && len(os.Args) > 1 && os.Args[1] == "scan" && mapped("/proc/self/uid_map", uid)
}

// mapped reports whether an id exists in this user namespace (user_namespaces(7)).
func mapped(path string, id int) bool {
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		var first, outside, length int
		if _, err := fmt.Sscan(line, &first, &outside, &length); err == nil && first <= id && id-first < length {
			return true
		}
	}
	return false
}

// dropPrivileges makes the process, which is root, the user, to whom it gives the run directory.
// No thread has a capability afterwards but the keeper's.
func dropPrivileges(dir string, uid, gid int) (*keeper, error) {
	if err := give(dir, uid, gid); err != nil {
		return nil, fmt.Errorf("give %s to user %d: %w", dir, uid, err)
	}
	k := &keeper{work: make(chan func() error), done: make(chan error)}
	go k.run(uid, gid)
	if err := <-k.done; err != nil {
		return nil, fmt.Errorf("give up root's privileges: %w", err)
	}
	return k, nil
}

// givable refuses a directory that holds more than a record: it would be given away. One that is
// not there yet is the scan's own, and one of the user's is his already.
func givable(dir string, uid int) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && int(info.Sys().(*syscall.Stat_t).Uid) == uid {
		return nil
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if !record.IsFile(e.Name()) {
			return fmt.Errorf("%s holds %s, and a scan that root starts gives its run directory to user %d: name a new one", dir, e.Name(), uid)
		}
	}
	return err
}

// give makes the user the owner of a run directory and of its files.
func give(dir string, uid, gid int) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	for _, e := range entries {
		if record.IsFile(e.Name()) {
			err = errors.Join(err, root.Lchown(e.Name(), uid, gid))
		}
	}
	return errors.Join(err, root.Lchown(".", uid, gid))
}

// run is the keeper's thread, which ends with it: its capability is no other goroutine's.
func (k *keeper) run(uid, gid int) {
	runtime.LockOSThread()
	err := become(uid, gid)
	k.done <- err
	if err != nil {
		return
	}
	work := <-k.work
	if err = capabilities(netAdmin, netAdmin); err == nil {
		err = work()
	}
	k.done <- err
}

// do has the keeper do its work: once.
func (k *keeper) do(work func() error) error {
	k.work <- work
	return <-k.done
}

const netAdmin = 1 << unix.CAP_NET_ADMIN

// become changes the user of all threads, and leaves this one CAP_NET_ADMIN, not in effect.
// Others lose all capabilities by it (capabilities(7), effect of user ID changes).
func become(uid, gid int) error {
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := syscall.Setgroups([]int{gid}); err != nil {
		return err
	}
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return err
	}
	if err := syscall.Setresuid(uid, uid, uid); err != nil {
		return err
	}
	if err := noNewPrivileges(); err != nil {
		return err
	}
	return capabilities(netAdmin, 0)
}

// noNewPrivileges keeps all threads from gaining privileges by running a program that has some (prctl(2), PR_SET_NO_NEW_PRIVS).
// That is set for one thread, and syscall.AllThreadsSyscall does not work where C's library is linked; but who has it, and installs
// a seccomp filter on all threads, sets it on all (the kernel's seccomp_sync_threads). This filter allows everything.
func noNewPrivileges() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("PR_SET_NO_NEW_PRIVS: %w", err)
	}
	allow := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
	program := unix.SockFprog{Len: 1, Filter: &allow}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return fmt.Errorf("PR_SET_NO_NEW_PRIVS on all threads, by seccomp: %w", errno)
	}
	return nil
}

// capabilities sets this thread's.
func capabilities(permitted, effective uint32) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Permitted: permitted, Effective: effective}}
	return unix.Capset(&header, &data[0])
}
