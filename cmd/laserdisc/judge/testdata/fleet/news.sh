#: package sn xinetd
#: serves 198.18.9.11:119 nntp first
#: serves 198.18.9.11:25 nntp first
mkdir spool
printf '#!/bin/sh\nexec /usr/sbin/snntpd 2>/dev/null\n' > quiet
chmod 755 quiet
for p in 119 25; do
	cat <<CONF
service nntp
{
  type = UNLISTED
  bind = 198.18.9.11
  port = $p
  socket_type = stream
  protocol = tcp
  wait = no
  user = root
  server = $PWD/quiet
  env = SNROOT=$PWD/spool
  cps = 1000 1
  instances = 200
  per_source = UNLIMITED
}
CONF
done > inetd
exec xinetd -dontfork -stayalive -f "$PWD/inetd" -pidfile "$PWD/inetd.pid"
