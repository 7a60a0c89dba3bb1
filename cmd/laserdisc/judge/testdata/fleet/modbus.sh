#: package libmodbus5 python3
#: serves 198.18.7.14:502 modbus
#: serves 198.18.7.14:80 modbus
cat > server.py <<'PY'
import ctypes, sys
m = ctypes.CDLL("libmodbus.so.5")
for f in ("modbus_new_tcp", "modbus_mapping_new"):
    getattr(m, f).restype = ctypes.c_void_p
c = ctypes.c_void_p(m.modbus_new_tcp(b"198.18.7.14", int(sys.argv[1])))
registers = ctypes.c_void_p(m.modbus_mapping_new(10, 10, 10, 10))
s = ctypes.c_int(m.modbus_tcp_listen(c, 5))
frame = (ctypes.c_ubyte * 300)()
while m.modbus_tcp_accept(c, ctypes.byref(s)) >= 0:
    while (n := m.modbus_receive(c, frame)) >= 0:
        m.modbus_reply(c, frame, n, registers)
    m.modbus_close(c)
PY
/usr/bin/python3 server.py 502 &
/usr/bin/python3 server.py 80 &
wait
