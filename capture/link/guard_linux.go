package link

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"regexp"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// guard keeps a scope from the kernel of this machine, which has no socket for it
// and would answer with resets.
//
// It is an nftables table of its own, with one chain at the ingress of the one
// interface. Packet sockets get their copy before that hook; what comes after it
// (routing, connection tracking, TCP) never sees the segment, so no reset is ever
// made, and none of that costs time. Our own frames do not pass any hook.
//
// The table belongs to the netlink socket that made it (NFT_TABLE_F_OWNER, Linux
// 5.12): the kernel deletes it with the socket, however the process ends, and lets
// nobody else change it. An older kernel keeps it. There, whether a table's owner
// still lives is told by a lock of the same name: an abstract Unix socket, which
// the kernel frees with the process, and which is seen in exactly one network
// namespace, as the table is. The next guard deletes those whose owner does not.
type guard struct {
	conn  *nftables.Conn
	raw   *netlink.Conn // the socket of conn
	table *nftables.Table
	lock  int
}

// tableName gives the names that are ours, of which guards no longer held may be
// deleted. What the user names is nothing like it.
var tableName = regexp.MustCompile(`^laserdisc_[0-9]+_[0-9]+$`)

func newGuard(device string, s scope) (_ *guard, err error) {
	g := &guard{lock: -1}
	take := func(raw *netlink.Conn) error {
		g.raw = raw
		return nil
	}
	conn, err := nftables.New(nftables.AsLasting(), nftables.WithSockOptions(take)) // the socket remembers the namespace for close
	if err != nil {
		return nil, explain("open nftables", err)
	}
	g.conn = conn
	defer func() {
		if err != nil {
			g.unlock()
			conn.CloseLasting()
		}
	}()
	if err := g.sweep(); err != nil {
		return nil, err
	}
	name, err := g.takeName()
	if err != nil {
		return nil, err
	}
	g.table = &nftables.Table{Name: name, Family: nftables.TableFamilyNetdev}
	if err := g.own(); err != nil {
		return nil, err
	}
	policy := nftables.ChainPolicyAccept
	chain := conn.AddChain(&nftables.Chain{
		Name:     "ours",
		Table:    g.table,
		Type:     nftables.ChainTypeFilter,
		Hooknum:  nftables.ChainHookIngress,
		Priority: nftables.ChainPriorityFilter,
		Device:   device,
		Policy:   &policy,
	})
	for _, rule := range s.rules() {
		conn.AddRule(&nftables.Rule{Table: g.table, Chain: chain, Exprs: rule})
	}
	if err := conn.Flush(); err != nil {
		return nil, explain("keep the kernel from answering, by an nftables table", err)
	}
	return g, nil
}

// own makes the table, if the kernel can as one that ends with the socket. The
// library makes none with flags.
func (g *guard) own() error {
	const owner = 0x2 // NFT_TABLE_F_OWNER of linux/netfilter/nf_tables.h
	attributes, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: unix.NFTA_TABLE_NAME, Data: []byte(g.table.Name + "\x00")},
		{Type: unix.NFTA_TABLE_FLAGS, Data: binaryutil.BigEndian.PutUint32(owner)},
	})
	if err != nil {
		return fmt.Errorf("link: name an nftables table: %w", err)
	}
	// A batch (linux/netfilter/nfnetlink.h): each message has family, version and subsystem before its attributes.
	message := func(kind netlink.HeaderType, flags netlink.HeaderFlags, family byte, subsystem uint16, attributes []byte) netlink.Message {
		return netlink.Message{
			Header: netlink.Header{Type: kind, Flags: netlink.Request | flags},
			Data:   append([]byte{family, unix.NFNETLINK_V0, byte(subsystem >> 8), byte(subsystem)}, attributes...),
		}
	}
	_, err = g.raw.SendMessages([]netlink.Message{
		message(unix.NFNL_MSG_BATCH_BEGIN, 0, 0, unix.NFNL_SUBSYS_NFTABLES, nil),
		message(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWTABLE, netlink.Acknowledge|netlink.Create, byte(g.table.Family), 0, attributes),
		message(unix.NFNL_MSG_BATCH_END, 0, 0, unix.NFNL_SUBSYS_NFTABLES, nil),
	})
	if err == nil {
		_, err = g.raw.Receive()
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL): // flags that an older kernel does not know
		g.conn.AddTable(g.table)
		return nil
	}
	return explain("make an nftables table", err)
}

// sweep deletes the tables of processes that ended without doing so.
func (g *guard) sweep() error {
	tables, err := g.conn.ListTablesOfFamily(nftables.TableFamilyNetdev)
	if err != nil {
		return explain("list nftables tables", err)
	}
	for _, t := range tables {
		if !tableName.MatchString(t.Name) {
			continue
		}
		lock, err := lockName(t.Name)
		if errors.Is(err, unix.EADDRINUSE) {
			continue // its owner lives
		}
		if err != nil {
			return err
		}
		g.conn.DelTable(t)
		err = g.conn.Flush()
		unix.Close(lock)
		if err != nil {
			return explain("delete the nftables table "+t.Name+" of a process that has ended", err)
		}
	}
	return nil
}

// takeName locks a name that no link has, of this process or of one that has the
// same number in another container.
func (g *guard) takeName() (string, error) {
	for n := 0; ; n++ {
		name := fmt.Sprintf("laserdisc_%d_%d", os.Getpid(), n)
		lock, err := lockName(name)
		if errors.Is(err, unix.EADDRINUSE) {
			continue
		}
		g.lock = lock
		return name, err
	}
}

// lockName returns a descriptor that holds the lock until it is closed.
func lockName(name string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, explain("lock "+name, err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: "@" + name}); err != nil {
		unix.Close(fd)
		return -1, explain("lock "+name, err)
	}
	return fd, nil
}

func (g *guard) unlock() {
	if g.lock >= 0 {
		unix.Close(g.lock)
	}
}

func (g *guard) close() error {
	g.conn.DelTable(g.table)
	err := g.conn.Flush()
	g.unlock()
	g.conn.CloseLasting()
	return explain("delete the nftables table "+g.table.Name, err)
}

// rules drop what is in the scope.
func (s scope) rules() [][]expr.Any {
	var rules [][]expr.Any
	if s.serving() {
		rules = append(rules, neighbourDiscovery())
	}
	for _, p := range s.prefixes {
		rule := destination(p)
		if !s.serving() {
			rule = append(rule, tcpPorts(s.first, s.last)...)
		}
		rules = append(rules, append(rule, &expr.Verdict{Kind: expr.VerdictDrop}))
	}
	return rules
}

func neighbourDiscovery() []expr.Any {
	return concat(
		etherType(unix.ETH_P_IPV6),
		transport(unix.IPPROTO_ICMPV6),
		[]expr.Any{
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1},
			&expr.Range{Op: expr.CmpOpEq, Register: 1, FromData: []byte{firstDiscovery6}, ToData: []byte{lastDiscovery6}},
			&expr.Verdict{Kind: expr.VerdictAccept},
		},
	)
}

func destination(p netip.Prefix) []expr.Any {
	kind, offset := uint16(unix.ETH_P_IP), uint32(offset4Destination-offset4)
	if p.Addr().Is6() {
		kind, offset = unix.ETH_P_IPV6, offset6Destination-offset6
	}
	address := p.Masked().Addr().AsSlice()
	length := uint32(len(address))
	mask := make([]byte, length)
	for i := range p.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return concat(etherType(kind), []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: length},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: length, Mask: mask, Xor: make([]byte, length)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: address},
	})
}

func tcpPorts(first, last uint16) []expr.Any {
	return concat(transport(unix.IPPROTO_TCP), []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: offsetTCPTargetPort, Len: 2},
		&expr.Range{
			Op:       expr.CmpOpEq,
			Register: 1,
			FromData: binaryutil.BigEndian.PutUint16(first),
			ToData:   binaryutil.BigEndian.PutUint16(last),
		},
	})
}

func etherType(kind uint16) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyPROTOCOL, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(kind)},
	}
}

func transport(protocol byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{protocol}},
	}
}
