#: package clamav-daemon spamd
#: serves 198.18.9.6:3310 clamd
#: serves 198.18.9.6:80 clamd
#: serves 198.18.9.7:783 spamd
# Servers that find fault with whatever they are asked.
sed 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf > nsswitch
mount --bind nsswitch /etc/nsswitch.conf # of this namespace alone: some hang up on whom they cannot look up
chmod 755 .
echo '44d88612fea8a8f36de82e1278abb02f:68:Eicar' > test.hdb
for p in 3310 80; do
	printf 'Foreground yes\nTCPSocket %s\nTCPAddr 198.18.9.6\nDatabaseDirectory %s\nUser root\nLogFile %s/log%s\n' $p "$PWD" "$PWD" $p > clamd.$p
	clamd -c "$PWD/clamd.$p" &
done
mkdir rules
echo 'loadplugin Mail::SpamAssassin::Plugin::Check' > rules/v320.pre
echo 'header X Subject =~ /x/' > rules/x.cf
spamd -x -L -i 198.18.9.7 -p 783 -A 198.18.0.0/15 -C "$PWD/rules" --siteconfigpath="$PWD/rules" -u nobody &
wait
