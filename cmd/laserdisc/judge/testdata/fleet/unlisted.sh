#: package beanstalkd nats-server rsync php-cli monit
#: serves 198.18.7.16:11300 beanstalk
#: serves 198.18.7.16:80 beanstalk
#: serves 198.18.7.17:4222 nats first
#: serves 198.18.7.17:80 nats first
#: serves 198.18.7.18:873 rsync first
#: serves 198.18.7.18:21 rsync first
#: serves 198.18.7.19:80 http
#: serves 198.18.7.19:6379 http
#: serves 198.18.7.20:2812 http
beanstalkd -l 198.18.7.16 -p 11300 &
beanstalkd -l 198.18.7.16 -p 80 &
nats-server -a 198.18.7.17 -p 4222 &
nats-server -a 198.18.7.17 -p 80 &
rsync --daemon --no-detach --config=/dev/null --address=198.18.7.18 --port=873 &
rsync --daemon --no-detach --config=/dev/null --address=198.18.7.18 --port=21 &
php -S 198.18.7.19:80 -t /usr/share/doc &
php -S 198.18.7.19:6379 -t /usr/share/doc &
printf 'set daemon 60\nset httpd port 2812 and use address 198.18.7.20\n  allow 0.0.0.0/0\nset pidfile %s/monit.pid\nset idfile %s/monit.id\nset statefile %s/monit.state\n' "$PWD" "$PWD" "$PWD" > monit
chmod 600 monit
monit -I -c monit &
wait
