#: package unbound nsd pdns-recursor
#: serves 198.18.4.6:53 dns
#: serves 198.18.4.7:53 dns
#: serves 198.18.4.7:443 dns
#: serves 198.18.4.8:53 dns
cat > unbound <<CONF
server:
  chroot: ""
  directory: "$PWD"
  pidfile: "$PWD/unbound.pid"
  username: ""
  use-syslog: no
  interface: 198.18.4.6
  access-control: 0.0.0.0/0 allow
CONF
unbound -d -c "$PWD/unbound" &
cat > nsd <<CONF
server:
  ip-address: 198.18.4.7@53
  ip-address: 198.18.4.7@443
  zonesdir: "$PWD"
  database: ""
  pidfile: "$PWD/nsd.pid"
  xfrdfile: "$PWD/xfrd"
  zonelistfile: "$PWD/zones"
  cookie-secret-file: "$PWD/cookies"
remote-control:
  control-enable: no
CONF
chown -R nsd .
nsd -d -c "$PWD/nsd" &
pdns_recursor --daemon=no --config-dir="$PWD" --socket-dir="$PWD" --local-address=198.18.4.8 --allow-from=0.0.0.0/0 --disable-syslog &
wait
