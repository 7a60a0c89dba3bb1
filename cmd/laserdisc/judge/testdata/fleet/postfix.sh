#: package postfix
#: serves 198.18.2.4:25 smtp first
#: serves 198.18.2.4:587 smtp first
#: serves 198.18.2.4:80 smtp first
#: serves 198.18.2.4:465 tls
#: serves 198.18.2.5:25 smtp first
#: serves [2001:2::204]:25 smtp first
# The last but one is postscreen, which says half of its greeting, then waits for who talks too early.
mkdir etc spool lib
chown postfix lib
cat > etc/main.cf <<CONF
compatibility_level = 3.6
queue_directory = $PWD/spool
data_directory = $PWD/lib
myhostname = mail.fleet.test
mydestination =
maillog_file = /dev/stdout
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 500
smtpd_tls_security_level = may
smtpd_tls_cert_file = $KEYS/rsa.crt
smtpd_tls_key_file = $KEYS/rsa.key
postscreen_greet_action = enforce
CONF
cat > etc/master.cf <<CONF
198.18.2.4:25 inet n - n - - smtpd
198.18.2.4:80 inet n - n - - smtpd
198.18.2.4:587 inet n - n - - smtpd
[2001:2::204]:25 inet n - n - - smtpd
198.18.2.4:465 inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
198.18.2.5:25 inet n - n - 1 postscreen
smtpd pass - - n - - smtpd
dnsblog unix - - n - 0 dnsblog
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
proxymap unix - - n - - proxymap
CONF
postfix -c "$PWD/etc" set-permissions >/dev/null 2>&1 || true
postfix -c "$PWD/etc" check 2>/dev/null || true
exec /usr/lib/postfix/sbin/master -c "$PWD/etc" -d
