#: package ircd-hybrid
#: serves 198.18.7.2:6667 irc first
cat > conf <<CONF
serverinfo { name = "irc.fleet.test"; description = "x"; network_name = "n"; network_description = "n"; hub = no; default_max_clients = 200; max_nick_length = 9; max_topic_length = 100; };
class { name = "u"; ping_time = 90 seconds; number_per_ip_global = 100; number_per_ip_local = 100; max_number = 200; sendq = 100 kbytes; };
listen { host = "198.18.7.2"; port = 6667; };
auth { user = "*@*"; class = "u"; };
general { throttle_count = 1000; };
CONF
chown -R irc .
exec su -s /bin/sh irc -c "exec ircd-hybrid -foreground -configfile $PWD/conf -pidfile $PWD/pid -logfile $PWD/log"
