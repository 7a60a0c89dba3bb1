#: package pptpd
#: serves 198.18.5.7:1723 pptp
printf 'option %s/ppp\nlisten 198.18.5.7\nlocalip 198.18.240.1\nremoteip 198.18.240.10-50\n' "$PWD" > conf
echo noauth > ppp
exec pptpd -f -c "$PWD/conf" -p "$PWD/pid"
