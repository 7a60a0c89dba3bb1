#: package python3 nftables
# What services do to a connection: by a server, then by a firewall in front of one (behave.nft).
#: serves 198.18.100.1:22 none reset_after_handshake
#: serves 198.18.100.2:22 none closed_after_handshake
#: serves 198.18.100.3:80 none acks_data
#: serves 198.18.100.4:80 none acks_data
#: serves 198.18.100.5:80 none acks_data
#: serves 198.18.100.6:80 none acks_data
#: serves 198.18.100.7:22 ssh first
#: serves 198.18.100.8:21 ftp first
#: serves 198.18.100.9:21 ftp first
#: serves 198.18.100.10:22 ssh first
#: serves 198.18.100.11:80 random first
#: serves 198.18.100.12:443 tls
#: serves [2001:2::6405]:80 none acks_data
#: serves 198.18.100.20:80 none no_answer
#: serves 198.18.100.21:80 none unreachable
#: serves 198.18.100.22:80 none unreachable
#: serves 198.18.100.23:80 none closed
#: serves 198.18.100.24:80 none dropped_handshake
#: serves 198.18.100.25:80 none no_data_ack
#: serves 198.18.100.26:80 none zero_window
#: serves 198.18.100.27:80 none acks_data
#: serves 198.18.100.28:80 http
#: serves 198.18.100.29:80 http
#: serves 198.18.100.30:80 http
#: serves [2001:2::6414]:80 none no_answer
nft -f "$FLEET/behave.nft"
exec /usr/bin/python3 "$FLEET/behave.py"
