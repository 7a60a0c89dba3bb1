#: package cups-daemon
#: serves 198.18.4.4:631 ipp
#: serves 198.18.4.4:80 ipp
mkdir state cache run
cat > cupsd.conf <<CONF
Listen $PWD/socket
Listen 198.18.4.4:631
Listen 198.18.4.4:80
ServerAlias *
DefaultEncryption Never
<Location />
  Order allow,deny
  Allow all
</Location>
CONF
printf 'AccessLog /dev/null\nErrorLog stderr\nRequestRoot %s/state\nServerRoot %s\nStateDir %s/run\nCacheDir %s/cache\n' "$PWD" "$PWD" "$PWD" "$PWD" > files.conf
chgrp -R lp .
exec cupsd -f -c "$PWD/cupsd.conf" -s "$PWD/files.conf"
