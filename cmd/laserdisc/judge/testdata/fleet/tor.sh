#: package tor
#: serves 198.18.5.5:9050 socks5
#: serves 198.18.5.5:9051 tor-control
#: serves 198.18.5.5:9001 tls
cat > conf <<CONF
DataDirectory $PWD/data
Address 198.18.5.5
ORPort 198.18.5.5:9001
AssumeReachable 1
PublishServerDescriptor 0
ExitRelay 0
ControlPort 198.18.5.5:9051
CookieAuthentication 1
SocksPort 198.18.5.5:9050
SocksPolicy accept *
DirAuthority fleet orport=1 no-v2 v3ident=0000000000000000000000000000000000000001 198.18.99.9:1 0000000000000000000000000000000000000002
Log warn stderr
CONF
exec tor -f conf
