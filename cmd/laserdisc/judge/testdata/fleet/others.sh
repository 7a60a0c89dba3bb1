#: package git nbd-server iperf3 apcupsd usbip distcc
#: serves 198.18.7.7:9418 git
#: serves 198.18.7.7:80 git
#: serves 198.18.7.8:10809 nbd first
#: serves 198.18.7.9:5201 iperf
#: serves 198.18.7.10:3551 apcupsd
#: serves 198.18.7.11:3240 usbip
#: serves 198.18.7.12:3632 distcc
#: serves 198.18.7.12:3633 http
git daemon --listen=198.18.7.7 --base-path="$PWD" "$PWD" &
git daemon --listen=198.18.7.7 --port=80 --base-path="$PWD" "$PWD" &
truncate -s 1M disk
printf '[generic]\n  listenaddr = 198.18.7.8\n[disk]\n  exportname = %s/disk\n' "$PWD" > nbd
nbd-server -d -C nbd &
iperf3 -s -B 198.18.7.9 &
printf 'UPSCABLE simple\nUPSTYPE dumb\nDEVICE /dev/null\nLOCKFILE %s\nNETSERVER on\nNISIP 198.18.7.10\nNISPORT 3551\nSCRIPTDIR %s\nPWRFAILDIR %s\nNOLOGINDIR %s\nEVENTSFILE %s/e\nSTATFILE %s/s\n' \
	"$PWD" "$PWD" "$PWD" "$PWD" "$PWD" "$PWD" > apc
apcupsd -b -f "$PWD/apc" -P "$PWD/apc.pid" &
usbipd -4 -P"$PWD/usbip.pid" &
distccd --no-detach --daemon --user nobody --listen 198.18.7.12 --port 3632 --stats --allow 198.18.0.0/15 &
wait
