#: package rabbitmq-server
#: serves 198.18.3.11:5672 amqp
#: serves 198.18.3.11:80 amqp
#: serves 198.18.3.11:1883 mqtt
#: serves 198.18.3.11:61613 stomp
#: serves 198.18.3.11:4369 epmd
#: serves 198.18.3.11:25672 erlang
export HOME="$PWD" LC_ALL=C.UTF-8 ERL_EPMD_ADDRESS=198.18.3.11 RABBITMQ_NODENAME=rabbit@localhost \
	RABBITMQ_MNESIA_BASE="$PWD/data" RABBITMQ_LOG_BASE="$PWD/log" RABBITMQ_PID_FILE="$PWD/pid" \
	RABBITMQ_CONFIG_FILE="$PWD/rabbitmq" RABBITMQ_ENABLED_PLUGINS_FILE="$PWD/plugins" \
	RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {198,18,3,11} +S 1:1 +sbwt none'
echo '[rabbitmq_mqtt,rabbitmq_stomp].' > plugins
cat > rabbitmq.conf <<CONF
listeners.tcp.1 = 198.18.3.11:5672
listeners.tcp.2 = 198.18.3.11:80
mqtt.listeners.tcp.1 = 198.18.3.11:1883
stomp.listeners.tcp.1 = 198.18.3.11:61613
log.console = true
CONF
epmd -address 198.18.3.11 -daemon
exec /usr/lib/rabbitmq/bin/rabbitmq-server
