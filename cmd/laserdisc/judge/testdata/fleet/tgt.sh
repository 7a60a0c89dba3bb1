#: package tgt
#: serves 198.18.7.5:3260 iscsi
mkdir -p /run/tgtd
exec tgtd -f --iscsi portal=198.18.7.5:3260
