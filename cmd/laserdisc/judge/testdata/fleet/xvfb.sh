#: package xvfb x11vnc
#: serves 198.18.5.3:6000 x11
#: serves 198.18.5.3:6001 x11
#: serves 198.18.5.4:5900 vnc first
# An X server listens on every address: these are the namespace's only ones with these ports. 6001 lets anyone in.
mkdir -p /tmp/.X11-unix
Xvfb :0 -screen 0 320x240x8 -listen tcp &
Xvfb :1 -screen 0 320x240x8 -listen tcp -ac &
until [ -e /tmp/.X11-unix/X1 ]; do sleep 0.1; done
x11vnc -display :1 -forever -shared -listen 198.18.5.4 -rfbport 5900 -nopw -noipv6 -quiet &
wait
