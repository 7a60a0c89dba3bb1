#: package tigervnc-standalone-server
#: serves 198.18.5.2:5900 vnc first
#: serves 198.18.5.2:5901 vnc first
#: serves 198.18.5.2:80 vnc first
# Too many clients that say nothing are a black list to it: without one.
printf 'abcdefgh' > password
x() { Xtigervnc :$1 -rfbport $2 -interface 198.18.5.2 -SecurityTypes $3 -PasswordFile password -UseBlacklist=0 -nolisten tcp -geometry 320x240 & }
mkdir -p /tmp/.X11-unix
x 40 5900 VncAuth
x 41 5901 None
x 42 80 VncAuth
wait
