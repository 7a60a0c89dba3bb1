#: package dnsmasq-base knot
#: serves 198.18.4.2:53 dns
#: serves 198.18.4.2:443 dns
#: serves 198.18.4.3:53 dns
d() { dnsmasq -k -C /dev/null --listen-address=198.18.4.2 --bind-interfaces --no-resolv --no-hosts -u nobody --pid-file="$PWD/$1" -p $1 & }
d 53
d 443
cat > knot <<CONF
server:
  rundir: $PWD
  listen: 198.18.4.3@53
database:
  storage: $PWD
CONF
knotd -c "$PWD/knot" &
wait
