#: package python3-twisted python3-impacket
#: serves 198.18.2.8:21 ftp first
#: serves 198.18.2.8:2121 ftp first
#: serves 198.18.2.8:25 smtp first
#: serves 198.18.2.8:110 pop3 first
#: serves 198.18.2.8:143 imap first
#: serves 198.18.2.8:23 telnet first
#: serves 198.18.2.8:80 http
#: serves 198.18.4.9:445 smb
# Twisted's servers, none of which knows a user; Impacket's.
cat > servers.py <<'PY'
from twisted.conch.telnet import AuthenticatingTelnetProtocol, TelnetTransport
from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.internet.protocol import Factory
from twisted.mail import imap4, pop3, smtp
from twisted.protocols import ftp
from twisted.web import server, static

portal = Portal(None)


def of(protocol, *args):
    f = Factory()
    f.protocol = lambda: protocol(*args)
    return f


listen = lambda port, factory: reactor.listenTCP(port, factory, interface="198.18.2.8")
listen(21, ftp.FTPFactory(portal))
listen(2121, ftp.FTPFactory(portal))
listen(25, of(smtp.ESMTP))
listen(110, of(pop3.POP3))
listen(143, of(imap4.IMAP4Server))
listen(23, of(TelnetTransport, AuthenticatingTelnetProtocol, portal))
listen(80, server.Site(static.File("/usr/share/doc")))
reactor.run()
PY
/usr/bin/python3 servers.py &
mkdir share
/usr/bin/python3 -c '
from impacket import smbserver
s = smbserver.SimpleSMBServer("198.18.4.9", 445)
s.setSMB2Support(True)
s.addShare("SHARE", "share")
s.start()' &
wait
