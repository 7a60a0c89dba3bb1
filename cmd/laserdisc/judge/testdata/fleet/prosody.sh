#: package prosody
#: serves 198.18.7.3:5222 xmpp
#: serves 198.18.7.3:5269 xmpp
#: serves 198.18.7.3:5280 http
mkdir data
cat > conf.lua <<CONF
daemonize = false
pidfile = "$PWD/pid"
data_path = "$PWD/data"
interfaces = { "198.18.7.3" }
modules_enabled = { "saslauth", "dialback", "disco", "bosh" }
http_ports = { 5280 }
https_ports = {}
http_interfaces = { "198.18.7.3" }
c2s_require_encryption = false
s2s_require_encryption = false
VirtualHost "fleet.test"
CONF
chown -R prosody .
exec su -s /bin/sh prosody -c "exec prosody --config $PWD/conf.lua -F"
