#: package python3-zmq
#: serves 198.18.9.10:5555 zmtp first
#: serves 198.18.9.10:80 zmtp first
#: serves 198.18.9.10:5556 zmtp first
cat > serve.py <<'PY'
import time, zmq
c = zmq.Context()
sockets = []
for kind, port in ((zmq.REP, 5555), (zmq.REP, 80), (zmq.PUB, 5556)):
    s = c.socket(kind)
    s.bind("tcp://198.18.9.10:%d" % port)
    sockets.append(s)
time.sleep(1e6)
PY
exec /usr/bin/python3 serve.py
