#: package vsftpd
#: serves 198.18.2.1:21 ftp first
#: serves 198.18.2.1:2222 ftp first
#: serves 198.18.2.2:21 ftp first
#: serves 198.18.2.2:990 tls
# The third greets with 9 kB; the fourth wants TLS at once.
mkdir empty
seq -f 'Welcome to a host that has a very long greeting, line %g of one hundred and twenty' 120 > banner
v() {
	n=$1; shift
	printf '%s\n' background=NO listen=YES anonymous_enable=YES anon_root=$PWD/empty secure_chroot_dir=$PWD/empty \
		seccomp_sandbox=NO nopriv_user=nobody "$@" > conf.$n
	vsftpd "$PWD/conf.$n" &
}
v 1 listen_address=198.18.2.1
v 2 listen_address=198.18.2.1 listen_port=2222
v 3 listen_address=198.18.2.2 banner_file=$PWD/banner
v 4 listen_address=198.18.2.2 listen_port=990 implicit_ssl=YES ssl_enable=YES rsa_cert_file=$KEYS/rsa.crt rsa_private_key_file=$KEYS/rsa.key
wait
