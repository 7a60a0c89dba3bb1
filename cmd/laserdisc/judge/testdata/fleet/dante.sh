#: package dante-server
#: serves 198.18.5.6:1080 socks5
#: serves 198.18.5.6:80 socks5
cat > conf <<CONF
logoutput: stderr
internal: 198.18.5.6 port = 1080
internal: 198.18.5.6 port = 80
external: 198.18.5.6
socksmethod: none
clientmethod: none
user.notprivileged: nobody
client pass { from: 0/0 to: 0/0 }
socks block { from: 0/0 to: 0/0 }
CONF
exec danted -f conf -p pid
