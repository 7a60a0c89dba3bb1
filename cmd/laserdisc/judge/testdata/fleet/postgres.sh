#: package postgresql-15 pgbouncer
#: serves 198.18.3.8:5432 postgres
#: serves 198.18.3.8:25 postgres
#: serves 198.18.3.9:6432 postgres
#: serves 198.18.3.9:443 postgres
#: serves [2001:2::308]:5432 postgres
# One instance for each port. The second address is pgbouncer.
chown -R postgres .
as() { su -s /bin/sh postgres -c "$*"; }
bin=/usr/lib/postgresql/15/bin
for p in 5432 25; do
	as $bin/initdb -D "$PWD/$p" -A scram-sha-256 --no-sync --pwfile=/etc/hostname >/dev/null
	echo 'host all all all scram-sha-256' >> $p/pg_hba.conf
done
as exec $bin/postgres -D "$PWD/5432" -c listen_addresses=198.18.3.8,2001:2::308 -c unix_socket_directories="$PWD" -c shared_buffers=8MB -c fsync=off &
as exec $bin/postgres -D "$PWD/25" -p 25 -c listen_addresses=198.18.3.8 -c unix_socket_directories="$PWD" -c shared_buffers=8MB -c fsync=off &
for p in 6432 443; do
	printf '[databases]\n* = host=198.18.3.8\n[pgbouncer]\nlisten_addr=198.18.3.9\nlisten_port=%s\nunix_socket_dir=\nauth_type=any\npidfile=%s/pid%s\n' $p "$PWD" $p > conf.$p
	as exec pgbouncer "$PWD/conf.$p" &
done
wait
