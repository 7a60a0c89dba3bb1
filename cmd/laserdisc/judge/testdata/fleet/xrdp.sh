#: package xrdp
#: serves 198.18.5.1:3389 rdp
#: serves 198.18.5.1:443 rdp
mkdir -p /run/xrdp
sed -e 's|^port=3389|port=tcp://198.18.5.1:3389 tcp://198.18.5.1:443|' -e "s|^certificate=.*|certificate=$KEYS/rsa.crt|" \
	-e "s|^key_file=.*|key_file=$KEYS/rsa.key|" -e "s|^LogFile=.*|LogFile=$PWD/log|" /etc/xrdp/xrdp.ini > conf
exec xrdp -n -c "$PWD/conf"
