package judge

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// chromium is a page in a headless Chromium that a test drives by the Chrome DevTools Protocol
// (https://chromedevtools.github.io/devtools-protocol/), over a pipe: messages in JSON, each ended by a zero byte.
type chromium struct {
	t       *testing.T
	to      *os.File
	from    *bufio.Reader
	session string // of the page, once there is one
	number  int    // of the last command
	events  []event
}

// event is something that the browser told of.
type event struct {
	Method string
	Params json.RawMessage
}

// startChromium starts the program with an empty page, whose events are told. It is killed after two minutes, or when the test ends.
func startChromium(t *testing.T, path string) *chromium {
	commands, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, answers, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
		"--user-data-dir="+t.TempDir(), "--remote-debugging-pipe", "about:blank")
	cmd.ExtraFiles = []*os.File{commands, answers}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	commands.Close()
	answers.Close()
	c := &chromium{t: t, to: to, from: bufio.NewReader(from)}
	late := time.AfterFunc(2*time.Minute, func() { from.Close() })
	t.Cleanup(func() {
		late.Stop()
		to.Close()             // which ends it
		_ = cmd.Process.Kill() // or else this does
		_ = cmd.Wait()
		from.Close()
	})

	var target struct{ TargetID string }
	c.do("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	c.do("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	c.session = attached.SessionID
	for _, domain := range []string{"Page", "Network", "Runtime", "Log"} {
		c.do(domain+".enable", nil, nil)
	}
	return c
}

// message is a command, an answer to one, or an event.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
}

// do carries out a command, and keeps the events that come before its end.
func (c *chromium) do(method string, params, result any) {
	c.t.Helper()
	c.number++
	text, err := json.Marshal(message{ID: c.number, Session: c.session, Method: method, Params: params})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.to.Write(append(text, 0)); err != nil {
		c.t.Fatalf("chromium: %s: %v", method, err)
	}
	for {
		m := c.read()
		if m.ID != c.number {
			continue
		}
		if m.Error != nil {
			c.t.Fatalf("chromium: %s: %s", method, m.Error)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				c.t.Fatalf("chromium: %s: %v", method, err)
			}
		}
		return
	}
}

// read takes the next message, and keeps it if it is an event.
func (c *chromium) read() message {
	c.t.Helper()
	text, err := c.from.ReadBytes(0)
	if err != nil {
		c.t.Fatalf("chromium: %v", err)
	}
	var params json.RawMessage
	m := message{Params: &params}
	if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
		c.t.Fatalf("chromium: %v: %s", err, text)
	}
	if m.Method != "" {
		c.events = append(c.events, event{m.Method, params})
	}
	return m
}

// open opens a page, and waits until it is loaded.
func (c *chromium) open(url string) {
	c.t.Helper()
	c.events = nil
	c.do("Page.navigate", map[string]any{"url": url}, nil)
	for !slices.ContainsFunc(c.events, func(e event) bool { return e.Method == "Page.loadEventFired" }) {
		c.read()
	}
}

// eval gives the value of an expression of JavaScript, or of what it promises, as JSON says it.
func (c *chromium) eval(expression string, value any) {
	c.t.Helper()
	var result struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	c.do("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &result)
	if result.ExceptionDetails != nil {
		c.t.Fatalf("%s: %s", expression, result.ExceptionDetails)
	}
	if value == nil {
		return
	}
	if err := json.Unmarshal(result.Result.Value, value); err != nil {
		c.t.Fatalf("%s: %v: %s", expression, err, result.Result.Value)
	}
}

// holds fails the test if an expression is not true.
func (c *chromium) holds(expression string) {
	c.t.Helper()
	var is bool
	if c.eval("Boolean("+expression+")", &is); !is {
		c.t.Errorf("not so: %s", expression)
	}
}

// press presses a key and lets it go.
func (c *chromium) press(key string) {
	c.t.Helper()
	code := map[string]int{"Tab": 9, "Enter": 13, " ": 32}[key]
	text := map[string]string{"Enter": "\r", " ": " "}[key]
	for _, kind := range []string{"keyDown", "keyUp"} {
		c.do("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": key, "windowsVirtualKeyCode": code, "text": text}, nil)
	}
}

// write types a text into what has the focus.
func (c *chromium) write(text string) {
	c.t.Helper()
	c.do("Input.insertText", map[string]any{"text": text}, nil)
}

// size makes the window so many pixels wide and high.
func (c *chromium) size(width, height int) {
	c.t.Helper()
	c.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
}

// media makes the page what it is for a reader who likes a colour scheme, on a screen or in print.
func (c *chromium) media(medium, scheme string) {
	c.t.Helper()
	c.do("Emulation.setEmulatedMedia", map[string]any{"media": medium,
		"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// keep writes a picture of the window, or a PDF of the page, to a file.
func (c *chromium) keep(path, method string) {
	c.t.Helper()
	var result struct{ Data string }
	c.do(method, nil, &result)
	content, err := base64.StdEncoding.DecodeString(result.Data)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o666); err != nil {
		c.t.Fatal(err)
	}
}

// wrong are the events that tell of an error, and requests for anything but a page.
func (c *chromium) wrong(page string) []string {
	var list []string
	for _, e := range c.events {
		var p struct {
			Request struct{ URL string }
			Entry   struct{ Level, Text string }
			Type    string
		}
		_ = json.Unmarshal(e.Params, &p) // of other events, which have other fields
		switch {
		case e.Method == "Network.requestWillBeSent" && p.Request.URL != page,
			e.Method == "Runtime.exceptionThrown",
			e.Method == "Runtime.consoleAPICalled",
			e.Method == "Log.entryAdded":
			list = append(list, fmt.Sprintf("%s %s", e.Method, e.Params))
		}
	}
	return list
}
