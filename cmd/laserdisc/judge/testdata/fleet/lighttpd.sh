#: package lighttpd lighttpd-mod-openssl lighttpd-mod-gnutls
#: serves 198.18.1.5:80 http
#: serves 198.18.1.5:5432 http
#: serves 198.18.1.5:443 tls
#: serves 198.18.1.6:443 tls
one() {
	cat > conf.$1 <<CONF
server.document-root = "/usr/share/doc"
server.bind = "$2"
server.port = $3
server.modules = ( $4 )
$5
CONF
	lighttpd -D -f conf.$1 &
}
tls="ssl.engine = \"enable\"
ssl.pemfile = \"$KEYS/rsa.pem\""
one plain 198.18.1.5 80 '' ''
one odd 198.18.1.5 5432 '' ''
one openssl 198.18.1.5 443 '"mod_openssl"' "$tls"
one gnutls 198.18.1.6 443 '"mod_gnutls"' "$tls"
wait
