#: package stunnel4
#: serves 198.18.1.16:443 tls
#: serves 198.18.1.16:995 tls
# What is behind it does not matter: nothing gets so far.
printf 'foreground = yes\npid =\ncert = %s/rsa.pem\n' "$KEYS" > conf
for p in 443 995; do printf '[%s]\naccept = 198.18.1.16:%s\nconnect = 127.0.0.1:9\n' $p $p >> conf; done
exec stunnel4 "$PWD/conf"
