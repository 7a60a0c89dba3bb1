#: package redis-server
#: serves 198.18.3.3:6379 redis
#: serves 198.18.3.3:80 redis
#: serves 198.18.3.4:6379 redis
#: serves 198.18.3.4:6380 tls
r() { redis-server --save '' --appendonly no --dir "$PWD" "$@" & }
r --bind 198.18.3.3 --port 6379 --protected-mode no
r --bind 198.18.3.3 --port 80 --protected-mode no
r --bind 198.18.3.4 --port 6379 --requirepass x --tls-port 6380 --tls-cert-file $KEYS/rsa.crt --tls-key-file $KEYS/rsa.key --tls-ca-cert-file $KEYS/rsa.crt
wait
