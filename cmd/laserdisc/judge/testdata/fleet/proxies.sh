#: package microsocks tinyproxy squid hitch gnutls-bin
#: serves 198.18.5.11:1080 socks5
#: serves 198.18.5.11:25 socks5
#: serves 198.18.5.12:8888 http
#: serves 198.18.5.12:3128 http
#: serves 198.18.5.13:443 tls
#: serves 198.18.5.13:5556 tls
microsocks -i 198.18.5.11 -p 1080 &
microsocks -i 198.18.5.11 -p 25 &
printf 'Port 8888\nListen 198.18.5.12\nTimeout 20\nMaxClients 50\n' > tinyproxy
tinyproxy -d -c tinyproxy &
printf 'http_port 198.18.5.12:3128\npid_filename %s/squid.pid\ncache_log /dev/null\naccess_log none\ncache_mem 8 MB\nnetdb_filename none\npinger_enable off\n' "$PWD" > squid
chmod 777 .
squid -N -f squid &
hitch --frontend='[198.18.5.13]:443' --backend='[127.0.0.1]:9' --user=nobody --group=nogroup "$KEYS/rsa.pem" &
# It listens on every address.
gnutls-serv --http --port 5556 --x509certfile "$KEYS/rsa.crt" --x509keyfile "$KEYS/rsa.key" </dev/null &
wait
