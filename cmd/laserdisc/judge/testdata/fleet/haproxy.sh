#: package haproxy
#: serves 198.18.1.8:80 http
#: serves 198.18.1.8:443 tls
#: serves 198.18.1.8:9999 haproxy-cli
cat > conf <<CONF
global
  stats socket ipv4@198.18.1.8:9999 level admin
defaults
  mode http
  timeout connect 2s
  timeout client 20s
  timeout server 20s
frontend plain
  bind 198.18.1.8:80
frontend encrypted
  bind 198.18.1.8:443 ssl crt $KEYS/rsa.pem
CONF
exec haproxy -db -f conf
