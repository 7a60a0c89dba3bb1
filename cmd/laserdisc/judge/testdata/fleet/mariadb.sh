#: package mariadb-server-core mariadb-client-core
#: serves 198.18.3.1:3306 mysql first
#: serves 198.18.3.1:22 mysql first
#: serves 198.18.3.2:3306 mysql first
# The second address has no account for us: it greets with an error.
id mysql >/dev/null 2>&1 && user=mysql || user=nobody
one() {
	mkdir $1
	mariadb-install-db --no-defaults --auth-root-authentication-method=normal --datadir="$PWD/$1" >/dev/null
	echo "$2;" > $1.sql
	chown -R $user .
	mariadbd --no-defaults --user=$user --datadir="$PWD/$1" --init-file="$PWD/$1.sql" --socket="$PWD/$1.socket" --pid-file="$PWD/$1.pid" \
		--skip-name-resolve --innodb-buffer-pool-size=8M --max-connect-errors=100000 "$3" "$4" &
}
one greets "CREATE USER u IDENTIFIED BY 'p'" --bind-address=198.18.3.1 --extra-port=22
one refuses "DELETE FROM mysql.global_priv WHERE Host != 'localhost'; FLUSH PRIVILEGES" --bind-address=198.18.3.2 --port=3306
wait
