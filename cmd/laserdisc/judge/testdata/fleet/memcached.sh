#: package memcached
#: serves 198.18.3.5:11211 memcached
#: serves 198.18.3.5:443 memcached
#: serves 198.18.3.6:11211 memcached
#: serves 198.18.3.7:11211 memcached
# Either tongue; text alone; binary alone.
m() { memcached -u nobody -U 0 -m 8 -t 1 "$@" & }
m -l 198.18.3.5 -p 11211
m -l 198.18.3.5 -p 443
m -l 198.18.3.6 -p 11211 -B ascii
m -l 198.18.3.7 -p 11211 -B binary
wait
