#: package apache2-bin
#: serves 198.18.1.7:80 http
#: serves 198.18.1.7:443 tls
#: serves 198.18.1.7:3306 http
M=/usr/lib/apache2/modules
cat > conf <<CONF
ServerName fleet.test
PidFile $PWD/pid
ErrorLog $PWD/errors
LoadModule mpm_event_module $M/mod_mpm_event.so
LoadModule authz_core_module $M/mod_authz_core.so
LoadModule ssl_module $M/mod_ssl.so
Listen 198.18.1.7:80
Listen 198.18.1.7:3306
Listen 198.18.1.7:443
User nobody
Group nogroup
DocumentRoot /usr/share/doc
<VirtualHost 198.18.1.7:443>
  SSLEngine on
  SSLCertificateFile $KEYS/rsa.crt
  SSLCertificateKeyFile $KEYS/rsa.key
</VirtualHost>
CONF
exec apache2 -DFOREGROUND -f "$PWD/conf"
