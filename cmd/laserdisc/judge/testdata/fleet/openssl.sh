#: package openssl
#: serves 198.18.1.11:443 tls
#: serves 198.18.1.12:443 tls
#: serves 198.18.1.13:443 tls
#: serves 198.18.1.14:443 tls
#: serves 198.18.1.15:443 tls
#: serves 198.18.1.15:80 tls
# TLS 1.3 alone; 1.2 alone; one that wants a certificate of the client; one that has no cipher in common; 1.0 alone.
# Each takes one connection at a time and ends with some, so that it is started again.
s() {
	while :; do
		openssl s_server -accept "$@" -quiet -www </dev/null
		sleep 0.1
	done &
}
cert="-cert $KEYS/rsa.crt -key $KEYS/rsa.key"
s 198.18.1.11:443 $cert -tls1_3
s 198.18.1.12:443 $cert -tls1_2
s 198.18.1.13:443 $cert -Verify 1 -verify_return_error
s 198.18.1.14:443 -nocert -tls1_2 -psk 0011223344 -cipher PSK
s 198.18.1.15:443 $cert -tls1 -cipher ALL:@SECLEVEL=0
s 198.18.1.15:80 $cert
wait
