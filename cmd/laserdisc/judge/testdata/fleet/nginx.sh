#: package nginx-light
#: serves 198.18.1.3:80 http
#: serves 198.18.1.3:22 http
#: serves 198.18.1.3:443 tls
#: serves 198.18.1.3:23 tls
#: serves 198.18.1.4:443 tls
#: serves [2001:2::103]:80 http
#: serves [2001:2::103]:443 tls
# The last but two refuses every name that a client asks for, and us who ask for none.
cat > conf <<CONF
daemon off; worker_processes 1; pid $PWD/pid; error_log stderr;
events { worker_connections 1024; }
http {
  access_log off; root /usr/share/doc;
  client_body_temp_path $PWD/b; proxy_temp_path $PWD/p; fastcgi_temp_path $PWD/f; uwsgi_temp_path $PWD/u; scgi_temp_path $PWD/s;
  ssl_certificate $KEYS/rsa.crt; ssl_certificate_key $KEYS/rsa.key;
  server { listen 198.18.1.3:80; listen 198.18.1.3:22; listen [2001:2::103]:80; }
  server { listen 198.18.1.3:443 ssl; listen 198.18.1.3:23 ssl; listen [2001:2::103]:443 ssl; }
  server { listen 198.18.1.4:443 ssl; ssl_reject_handshake on; }
}
CONF
exec nginx -c "$PWD/conf"
