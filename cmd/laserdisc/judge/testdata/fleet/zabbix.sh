#: package zabbix-agent
#: serves 198.18.7.4:10050 zabbix
printf 'LogType=console\nPidFile=%s/pid\nServer=0.0.0.0/0\nListenIP=198.18.7.4\nHostname=x\n' "$PWD" > conf
chown -R zabbix .
exec zabbix_agentd -f -c "$PWD/conf"
