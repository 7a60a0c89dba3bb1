#: package xinetd inetutils-telnetd fingerd cvs tinysshd micro-httpd
#: serves 198.18.6.1:23 telnet first
#: serves 198.18.6.1:9002 telnet first
#: serves 198.18.6.1:80 telnet first
#: serves 198.18.6.3:22 ssh first
#: serves 198.18.6.4:80 http
#: serves 198.18.6.4:8888 http
#: serves 198.18.6.5:79 finger
#: serves 198.18.6.5:80 finger
#: serves 198.18.6.5:2401 cvs
#: serves 198.18.6.6:7 echo
#: serves 198.18.6.6:80 echo
#: serves 198.18.6.6:443 echo
#: serves 198.18.6.6:9 discard
#: serves 198.18.6.6:13 daytime first
#: serves 198.18.6.6:19 chargen first
#: serves 198.18.6.6:37 time first
one() {
	cat <<CONF
service $2-$3
{
  id = $2-$3
  type = $1
  bind = $2
  port = $3
  socket_type = stream
  protocol = tcp
  wait = no
  user = root
  $4
}
CONF
}
run() { one UNLISTED $1 $2 "server = $3
  server_args = $4"; }
own() { one "INTERNAL UNLISTED" 198.18.6.6 $2 "" | sed "s/^service .*/service $1/"; }
mkdir cvs www
cvs -d "$PWD/cvs" init
tinysshd-makekey -q keys
echo '<html><title>fleet</title></html>' > www/index.html
{
	printf 'defaults\n{\n  instances = 200\n  per_source = UNLIMITED\n  cps = 1000 1\n}\n'
	for p in 23 9002 80; do run 198.18.6.1 $p /usr/sbin/telnetd -h; done
	run 198.18.6.3 22 /usr/sbin/tinysshd "$PWD/keys"
	for p in 80 8888; do run 198.18.6.4 $p /usr/sbin/micro-httpd "$PWD/www"; done
	for p in 79 80; do run 198.18.6.5 $p /usr/sbin/in.fingerd -u; done
	run 198.18.6.5 2401 /usr/bin/cvs "-f --allow-root=$PWD/cvs pserver"
	own echo 7
	own echo 80
	own echo 443
	own discard 9
	own daytime 13
	own chargen 19
	own time 37
} > conf
exec xinetd -dontfork -stayalive -f "$PWD/conf" -pidfile "$PWD/pid"
