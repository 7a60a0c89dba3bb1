#: package subversion dictd mpd munin-node gpsd
#: serves 198.18.9.1:3690 svn first
#: serves 198.18.9.1:80 svn first
#: serves 198.18.9.2:2628 dict first
#: serves 198.18.9.2:25 dict first
#: serves 198.18.9.3:6600 mpd first
#: serves 198.18.9.4:4949 munin first
#: serves 198.18.9.5:2947 gpsd first
# Servers that greet with a line of their own.
sed 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf > nsswitch
mount --bind nsswitch /etc/nsswitch.conf # of this namespace alone: some hang up on whom they cannot look up
svnserve -d --foreground --listen-host 198.18.9.1 -r "$PWD" &
svnserve -d --foreground --listen-host 198.18.9.1 --listen-port 80 -r "$PWD" &
printf 'apple\tA\tB\n' > words.index
printf 'an apple\n' > words.dict
for p in 2628 25; do
	printf 'global {\n  listen_to 198.18.9.2\n  port %s\n}\naccess {\n  allow *\n}\ndatabase words {\n  data "%s/words.dict"\n  index "%s/words.index"\n}\n' $p "$PWD" "$PWD" > dict.$p
	dictd -d nodetach -c dict.$p &
done
mkdir music
cat > mpd <<CONF
bind_to_address "198.18.9.3"
port "6600"
music_directory "$PWD/music"
db_file "$PWD/db"
log_file "$PWD/mpd.log"
audio_output {
  type "null"
  name "none"
}
CONF
mpd --no-daemon mpd &
cat > munin <<CONF
log_level 4
log_file $PWD/munin.log
pid_file $PWD/munin.pid
background 0
setsid 0
user root
group root
host_name node.fleet.test
allow ^.*$
host 198.18.9.4
port 4949
CONF
munin-node --config "$PWD/munin" &
gpsd -N -G -S 2947 -F "$PWD/gpsd" &
wait
