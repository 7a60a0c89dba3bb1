#: package bird2
#: serves 198.18.5.8:179 bgp first
# Anyone near may be its neighbour.
cat > conf <<CONF
router id 198.18.5.8;
protocol device {}
protocol bgp any {
  local 198.18.5.8 as 65002;
  neighbor range 198.18.0.0/24 external;
  passive on; multihop; strict bind on;
  error wait time 1, 1; error forget time 1;
  ipv4 { import none; export none; };
}
CONF
exec bird -f -c conf -s socket
