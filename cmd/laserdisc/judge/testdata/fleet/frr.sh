#: package frr
#: serves 198.18.5.9:2601 telnet first
#: serves 198.18.5.9:2605 telnet first
#: serves 198.18.5.10:179 bgp first
mkdir -p /run/frr
printf 'hostname z\npassword x\nline vty\n' > zebra.conf
cat > bgpd.conf <<CONF
hostname b
password x
router bgp 65001
 bgp router-id 198.18.5.10
 neighbor any peer-group
 neighbor any remote-as external
 neighbor any passive
 bgp listen range 198.18.0.0/24 peer-group any
line vty
CONF
chown -R frr:frr . /run/frr
/usr/lib/frr/zebra -f zebra.conf -i zebra.pid -A 198.18.5.9 -P 2601 -z "$PWD/zserv" --vty_socket "$PWD" &
exec /usr/lib/frr/bgpd -f bgpd.conf -i bgpd.pid -A 198.18.5.9 -P 2605 -l 198.18.5.10 -p 179 -n -Z --vty_socket "$PWD"
