#: package openssh-server
#: serves 198.18.1.1:22 ssh first
#: serves 198.18.1.1:80 ssh first
#: serves 198.18.1.1:443 ssh first
#: serves [2001:2::101]:22 ssh first
mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N '' -f key
cat > conf <<CONF
HostKey $PWD/key
PidFile none
UsePAM no
UseDNS no
MaxStartups 200
ListenAddress 198.18.1.1:22
ListenAddress 198.18.1.1:80
ListenAddress 198.18.1.1:443
ListenAddress [2001:2::101]:22
CONF
exec /usr/sbin/sshd -D -e -f "$PWD/conf"
