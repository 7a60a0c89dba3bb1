"""Servers that misbehave: each function is what one does with a connection."""
import os, socket, struct, threading, time


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def close(c):
    pass


def reset_on_data(c):
    c.recv(4096)
    reset(c)


def close_on_data(c):
    c.recv(4096)


def sink(c):
    while c.recv(4096):
        pass


def never_read(c):
    time.sleep(60)


def late(c):
    time.sleep(3)
    c.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    sink(c)


def drip(c):
    for b in b"220 FTP server ready.\r\n":
        c.sendall(bytes([b]))
        time.sleep(0.06)
    sink(c)


def long(c):
    c.sendall(b"".join(b"220-Welcome, line %d of a very long banner.\r\n" % i for i in range(450)) + b"220 FTP server ready.\r\n")
    sink(c)


def banner_reset(c):
    c.sendall(b"SSH-2.0-dropbear_2022.83\r\n")
    time.sleep(0.1)
    reset(c)


def random(c):
    c.sendall(os.urandom(200))
    sink(c)


def alert(c):
    c.recv(4096)
    c.sendall(b"\x15\x03\x01\x00\x02\x02\x28")


def http(c):
    c.recv(4096)
    c.sendall(b"HTTP/1.0 200 OK\r\nServer: behave\r\nContent-Length: 3\r\n\r\nok\n")


def session(behave, c):
    with c:
        try:
            behave(c)
        except OSError:
            pass  # the client has gone


def serve(behave, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    s = socket.create_server((address, port), family=family, backlog=64)
    while True:
        c, _ = s.accept()
        threading.Thread(target=session, args=(behave, c), daemon=True).start()


hosts = [
    (reset, 1, 22), (close, 2, 22), (reset_on_data, 3, 80), (close_on_data, 4, 80), (sink, 5, 80), (never_read, 6, 80),
    (late, 7, 22), (drip, 8, 21), (long, 9, 21), (banner_reset, 10, 22), (random, 11, 80), (alert, 12, 443),
] + [(http, n, 80) for n in range(20, 31)]
servers = [(b, "198.18.100.%d" % n, port) for b, n, port in hosts]
servers += [(sink, "2001:2::6405", 80), (http, "2001:2::6414", 80)]
threads = [threading.Thread(target=serve, args=s) for s in servers]
for t in threads:
    t.start()
