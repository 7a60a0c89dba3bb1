#: package pgpool2
#: serves 198.18.9.9:9999 postgres
#: serves 198.18.9.9:9898 pcp
cat > conf <<CONF
listen_addresses = '198.18.9.9'
port = 9999
pcp_listen_addresses = '198.18.9.9'
pcp_port = 9898
socket_dir = '$PWD'
pcp_socket_dir = '$PWD'
backend_hostname0 = '198.18.3.8'
backend_port0 = 5432
pid_file_name = '$PWD/pid'
logdir = '$PWD'
enable_pool_hba = off
search_primary_node_timeout = 1
num_init_children = 4
CONF
echo 'x:e8a48653851e28c69d0506508fb27fc5' > pcp
: > hba
chown -R postgres .
exec su -s /bin/sh postgres -c "exec pgpool -n -f $PWD/conf -F $PWD/pcp -a $PWD/hba"
