#: package samba
#: serves 198.18.4.5:445 smb
#: serves 198.18.4.5:80 smb
#: serves 198.18.4.5:139 smb
mkdir private lock state cache rpc
cat > conf <<CONF
[global]
  interfaces = 198.18.4.5/32
  bind interfaces only = yes
  smb ports = 445 139 80
  private dir = $PWD/private
  lock directory = $PWD/lock
  state directory = $PWD/state
  cache directory = $PWD/cache
  ncalrpc dir = $PWD/rpc
  pid directory = $PWD
  log file = $PWD/log
  server role = standalone server
  load printers = no
  disable spoolss = yes
CONF
exec smbd -F --no-process-group -s "$PWD/conf" --debug-stdout -d 0
