#: package busybox python3 micro-httpd
#: serves 198.18.1.9:80 http
#: serves 198.18.1.10:8000 http
#: serves 198.18.1.10:3306 http
busybox httpd -f -p 198.18.1.9:80 -h /usr/share/doc &
/usr/bin/python3 -m http.server --bind 198.18.1.10 8000 &
/usr/bin/python3 -m http.server --bind 198.18.1.10 3306 &
wait
