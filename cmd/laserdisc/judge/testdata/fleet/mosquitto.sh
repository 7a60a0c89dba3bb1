#: package mosquitto
#: serves 198.18.3.10:1883 mqtt
#: serves 198.18.3.10:80 mqtt
#: serves 198.18.3.10:1884 mqtt
#: serves 198.18.3.10:8883 tls
# 1884 refuses who has no name.
cat > conf <<CONF
per_listener_settings true
user nobody
listener 1883 198.18.3.10
allow_anonymous true
listener 80 198.18.3.10
allow_anonymous true
listener 1884 198.18.3.10
allow_anonymous false
listener 8883 198.18.3.10
allow_anonymous true
certfile $KEYS/rsa.crt
keyfile $KEYS/rsa.key
CONF
exec mosquitto -c conf
