#: package kamailio
#: serves 198.18.7.13:5060 sip
#: serves 198.18.7.13:80 sip
cat > conf <<CONF
listen=tcp:198.18.7.13:5060
listen=tcp:198.18.7.13:80
children=1
tcp_children=2
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "sl.so"
request_route {
  sl_send_reply("200", "OK");
}
CONF
exec kamailio -DD -E -f conf -w "$PWD" -Y "$PWD" -m 32
