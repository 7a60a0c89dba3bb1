#: package freerdp2-shadow-x11 xvfb rtsp-server-perl
#: serves 198.18.5.15:3390 rdp
#: serves 198.18.5.16:8554 rtsp
#: serves 198.18.5.16:80 rtsp
# The first listens on every address.
export HOME="$PWD"
mkdir -p /tmp/.X11-unix
mkfifo display # says when it answers; it would not for a moment after each client, if it were reset
Xvfb :50 -screen 0 320x240x24 -noreset -displayfd 3 3>display &
read -r _ <display
DISPLAY=:50 freerdp-shadow-cli /port:3390 -auth &
rtsp() { rtsp-server-perl --clientport $1 --serverport $2 --client_listen_address 198.18.5.16 --source_listen_address 127.0.0.1 & }
rtsp 8554 5545
rtsp 80 5546
wait
