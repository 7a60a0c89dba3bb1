#: package bind9
#: serves 198.18.4.1:53 dns
#: serves 198.18.4.1:80 dns
#: serves 198.18.4.1:8053 http
#: serves 198.18.4.1:953 rndc
#: serves [2001:2::401]:53 dns
cat > conf <<CONF
key k { algorithm hmac-sha256; secret "c2VjcmV0c2VjcmV0"; };
controls { inet 198.18.4.1 port 953 allow { any; } keys { k; }; };
statistics-channels { inet 198.18.4.1 port 8053 allow { any; }; };
options {
  directory "$PWD"; pid-file "$PWD/pid"; session-keyfile "$PWD/session"; managed-keys-directory "$PWD";
  listen-on { 198.18.4.1; }; listen-on port 80 { 198.18.4.1; }; listen-on-v6 { 2001:2::401; };
  recursion no; dnssec-validation no;
};
CONF
chown -R bind .
exec named -g -u bind -n 1 -c "$PWD/conf"
