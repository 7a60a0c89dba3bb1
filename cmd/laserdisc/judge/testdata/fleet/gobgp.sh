#: package gobgpd
#: serves 198.18.5.14:179 bgp first
cat > gobgp.toml <<CONF
[global.config]
  as = 65005
  router-id = "198.18.5.14"
  local-address-list = ["198.18.5.14"]
[[peer-groups]]
  [peer-groups.config]
    peer-group-name = "any"
    peer-as = 23456
  [peer-groups.transport.config]
    passive-mode = true
[[dynamic-neighbors]]
  [dynamic-neighbors.config]
    prefix = "198.18.0.0/24"
    peer-group = "any"
CONF
exec gobgpd -f gobgp.toml --api-hosts 127.0.0.1:50051
