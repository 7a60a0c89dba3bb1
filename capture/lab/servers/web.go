package servers

import (
	"fmt"
	"strings"

	"laserdisc/capture/lab/draw"
)

// webProtocols are HTTP/1.1 (RFC 9112), and IPP (RFC 8010), which is spoken in HTTP.
var webProtocols = []*Protocol{
	{Name: "http", Label: "http", closes: true, own: []Kind{HTTP}, answers: Answers{TLS: 0.67, Newlines: 0.21, HTTP: 1}, reply: replyHTTP},
	{Name: "ipp", Label: "ipp", closes: true, own: []Kind{IPP, HTTP}, answers: Answers{TLS: 0.29, Newlines: 0.02, HTTP: 0.96}, reply: replyIPP},
}

// webServer is one product.
type webServer struct {
	server string // of the Server header; "" for none
	status string
	header string
	title  string
	body   string
	bad    string // version and status line for what is not HTTP
}

// webServers begin with those whose page asks for a login.
var webServers = []webServer{
	{"", "200 OK", "", "Login", `<form method="post"><input name="username"><input type="password" name="password"></form>`, "HTTP/1.1 400 Bad Request"},
	{"uc-httpd 1.0.0", "200 OK", "", "NETSurveillance WEB", `<input id="username"><input id="password" type="password">`, "HTTP/1.0 400 Bad Request"},
	{"nginx/1.22.1", "200 OK", "", "Welcome to nginx!", "<h1>Welcome to nginx!</h1><p>If you see this page, the web server is working.</p>", "HTTP/1.1 400 Bad Request"},
	{"Apache/2.4.57 (Debian)", "200 OK", "", "Apache2 Debian Default Page: It works", "<h1>It works!</h1>", "HTTP/1.1 400 Bad Request"},
	{"Microsoft-IIS/10.0", "200 OK", "X-Powered-By: ASP.NET\r\n", "IIS Windows Server", `<img src="iisstart.png" alt="IIS">`, "HTTP/1.1 400 Bad Request"},
	{"lighttpd/1.4.69", "404 Not Found", "", "404 Not Found", "<h1>404 Not Found</h1>", "HTTP/1.0 400 Bad Request"},
	{"mini_httpd/1.30 26Oct2018", "401 Unauthorized", "WWW-Authenticate: Basic realm=\"router\"\r\n", "401 Unauthorized", "<h4>401 Unauthorized</h4>Authorization required.", "HTTP/1.1 400 Bad Request"},
	{"GoAhead-Webs", "302 Redirect", "Location: /login.asp\r\n", "Document Moved", "This document has moved.", "HTTP/1.0 400 Bad Request"},
	{"cloudflare", "403 Forbidden", "", "Direct IP access not allowed", "<h1>Error 1003</h1>", "HTTP/1.1 400 Bad Request"},
	{"Jetty(9.4.51.v20230217)", "404 Not Found", "", "Error 404 Not Found", "<h2>HTTP ERROR 404</h2>", "HTTP/1.1 400 Illegal character CNTL=0x16"},
}

// cwmpServer takes the connection requests of CWMP, which go to a port of their own (TR-069, section 3.2.2).
var cwmpServer = webServer{"gSOAP/2.7", "401 Unauthorized", "WWW-Authenticate: Digest realm=\"HuaweiHomeGateway\", qop=\"auth\"\r\n", "Protected Object", "<h1>Protected Object</h1>", "HTTP/1.1 400 Bad Request"}

// loginServers are how many of them do.
const loginServers = 2

// upnpServers are what the Server fields of UPnP are (UPnP Device Architecture 1.1, section 1.2.2).
var upnpServers = []string{"RomPager/4.07 UPnP/1.0", "Linux/3.4.0, UPnP/1.0, Portable SDK for UPnP devices/1.6.18", "Linux/2.6.36 UPnP/1.0 miniupnpd/1.9"}

// takesCWMP reports whether the service is a CWMP client's.
func (s *Service) takesCWMP() bool {
	p := s.At.Port()
	return (p == 7547 || p == 30005) && s.Unit(draw.ForText) < 0.9
}

func (s *Service) webServer() webServer {
	w := cwmpServer
	if !s.takesCWMP() {
		w = *choose(s, draw.ForLogin, s.Content.Login, webServers, loginServers)
	}
	if s.Unit(draw.ForUPnP) < s.Content.UPnP {
		w.server = pick(s, upnpServers...)
	}
	return w
}

func replyHTTP(b []byte, s *Service, k Kind, _ []byte) ([]byte, string) {
	w := s.webServer()
	if k != HTTP {
		return appendHTTP(b, w.bad, w.server, "text/html", "", "<html><head><title>400 Bad Request</title></head><body><h1>400 Bad Request</h1></body></html>\r\n"), ""
	}
	body := "<html><head><title>" + w.title + "</title></head><body>" + w.body + "</body></html>\n"
	if s.Unit(draw.ForDetail) < 0.1 { // longer than one segment
		body += "<!--" + strings.Repeat("lorem ipsum dolor sit amet ", 40+s.Below(draw.ForPort, 200)) + "-->\n"
	}
	return appendHTTP(b, "HTTP/1.1 "+w.status, w.server, "text/html", w.header, body), ""
}

func appendHTTP(b []byte, status, server, kind, header, body string) []byte {
	b = append(b, status+"\r\n"...)
	if server != "" {
		b = append(b, "Server: "+server+"\r\n"...)
	}
	return fmt.Appendf(b, "%sContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", header, kind, len(body), body)
}

// replyIPP answers as a printer does: an IPP request in kind, and everything else in HTTP. Those that run CUPS name IPP in
// every answer.
func replyIPP(b []byte, s *Service, k Kind, said []byte) ([]byte, string) {
	x := s.Below(draw.ForVariant, 3)
	server, label := [...]string{"CUPS/2.4 IPP/2.1", "CUPS/2.3 IPP/2.1", "HP HTTP Server; HP LaserJet MFP M428 - W1A29A"}[x], ""
	if x == 2 {
		label = "http"
	}
	if k == HTTP {
		return appendHTTP(b, "HTTP/1.1 200 OK", server, "text/html", "", "<html><head><title>Home</title></head></html>\n"), label
	}
	if k != IPP {
		return appendHTTP(b, "HTTP/1.1 400 Bad Request", server, "text/html", "", ""), label
	}
	// Version 1.1, status server-error-internal-error or client-error-not-found, request id, the
	// two operation attributes that every response has (RFC 8011, section 4.1.4.2).
	body := "\x01\x01\x04\x06\x00\x00\x00\x01\x01G\x00\x12attributes-charset\x00\x05utf-8H\x00\x1battributes-natural-language\x00\x02en\x03"
	return appendHTTP(b, "HTTP/1.1 200 OK", server, "application/ipp", "", body), ""
}
