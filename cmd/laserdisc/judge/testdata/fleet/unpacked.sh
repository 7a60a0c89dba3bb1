#: package libpam0g libcap2 libsodium23 libssl3 libwrap0 libidn12 libgnutls-dane0 libdb5.3 libnsl2 libpcre2-8-0 libhiredis0.14 libmemcached11 libmemcachedutil2 libpcre2-posix3 libacl1 xinetd
#: unpack pure-ftpd proftpd-core inetutils-ftpd telnetd-ssl exim4-daemon-light exim4-base
#: serves 198.18.2.9:21 ftp first
#: serves 198.18.2.10:21 ftp first
#: serves 198.18.2.10:80 ftp first
#: serves 198.18.2.11:21 ftp first
#: serves 198.18.2.12:25 smtp first
#: serves 198.18.2.12:80 smtp first
#: serves 198.18.6.7:23 telnet first
# Those that no other may be installed beside.
bin=$UNPACKED/usr/sbin
$bin/pure-ftpd -4 -H -S 198.18.2.9,21 -g "$PWD/pure" &
cat > proftpd <<CONF
ServerType standalone
ServerName fleet
DefaultAddress 198.18.2.10
SocketBindTight on
Port 21
UseIPv6 off
User nobody
Group nogroup
PidFile $PWD/proftpd.pid
ScoreboardFile $PWD/scoreboard
DelayEngine off
AuthOrder mod_auth_unix.c
<VirtualHost 198.18.2.10>
  Port 80
</VirtualHost>
CONF
$bin/proftpd -n -c "$PWD/proftpd" &
one() {
	cat <<CONF
service $1
{
  type = UNLISTED
  bind = $2
  port = $3
  socket_type = stream
  protocol = tcp
  wait = no
  user = root
  server = $4
  server_args = $5
  cps = 1000 1
  instances = 200
  per_source = UNLIMITED
}
CONF
}
{
	one ftp 198.18.2.11 21 $bin/ftpd -A
	one telnet 198.18.6.7 23 $bin/in.telnetd "-z cert=$KEYS/rsa.pem"
} > inetd
xinetd -dontfork -stayalive -f "$PWD/inetd" -pidfile "$PWD/inetd.pid" &
cp /etc/passwd /etc/group .
echo 'Debian-exim:x:64999:64999::/:/bin/false' >> passwd
echo 'Debian-exim:x:64999:' >> group
mount --bind passwd /etc/passwd # of this namespace alone
mount --bind group /etc/group
chown Debian-exim .
cat > exim <<CONF
exim_path = $bin/exim4
primary_hostname = mail.fleet.test
spool_directory = $PWD
log_file_path = $PWD/%slog
pid_file_path = $PWD/exim.pid
local_interfaces = 198.18.2.12
daemon_smtp_ports = 25 : 80
tls_advertise_hosts =
rfc1413_query_timeout = 0s
keep_environment =
CONF
chmod 644 exim
$bin/exim4 -bdf -C "$PWD/exim" &
wait
