#: package dovecot-imapd dovecot-pop3d dovecot-lmtpd dovecot-managesieved
#: serves 198.18.2.6:143 imap first
#: serves 198.18.2.6:8443 imap first
#: serves 198.18.2.6:110 pop3 first
#: serves 198.18.2.6:993 tls
#: serves 198.18.2.6:995 tls
#: serves 198.18.2.6:4190 managesieve first
#: serves 198.18.2.6:24 lmtp first unnamed
cat > conf <<CONF
base_dir = $PWD/run
log_path = /dev/stderr
listen = 198.18.2.6
protocols = imap pop3 sieve lmtp
ssl_cert = <$KEYS/rsa.crt
ssl_key = <$KEYS/rsa.key
mail_location = maildir:/tmp/%u
passdb {
  driver = static
  args = password=x
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=/tmp
}
service imap-login {
  inet_listener odd {
    port = 8443
  }
}
service lmtp {
  inet_listener lmtp {
    address = 198.18.2.6
    port = 24
  }
}
CONF
exec dovecot -F -c "$PWD/conf"
