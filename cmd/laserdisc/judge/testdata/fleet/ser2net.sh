#: package ser2net socat
#: serves 198.18.7.6:3001 telnet first
#: serves 198.18.7.6:3002 serial
# A serial port behind telnet, and one behind nothing, whose line is silent.
cat > conf.yaml <<CONF
connection: &t
  accepter: telnet(rfc2217),tcp,198.18.7.6,3001
  connector: echo
  options: { max-connections: 50 }
connection: &r
  accepter: tcp,198.18.7.6,3002
  connector: serialdev,$PWD/tty,9600n81,local
  options: { max-connections: 50 }
CONF
socat pty,link=tty,raw,echo=0 'EXEC:sleep 100000' &
until [ -e tty ]; do sleep 0.1; done
exec ser2net -n -d -c conf.yaml -P pid
