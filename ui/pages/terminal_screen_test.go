package pages_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	. "github.com/onsi/gomega"
)

// screen is an open terminal of a browser.
type screen struct {
	conn *websocket.Conn

	mu       sync.Mutex
	output   strings.Builder
	messages []string
	done     chan struct{}
}

// openTerminal opens a terminal as the script of the page does. It answers requests to confirm the session with
// the cookies of the browser, if answers is set.
func (b *browser) openTerminal(t *testing.T, path string, answers bool) *screen {
	t.Helper()
	conn, response, err := b.dial(t, path, b.base)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(response.StatusCode).To(Equal(http.StatusSwitchingProtocols))
	conn.SetReadLimit(4 << 20)
	s := &screen{conn: conn, done: make(chan struct{})}
	t.Cleanup(func() { _ = conn.CloseNow() }) // It may be closed already.
	go func() {
		defer close(s.done)
		for {
			kind, content, err := conn.Read(context.Background())
			if err != nil {
				return
			}
			s.mu.Lock()
			if kind == websocket.MessageBinary {
				s.output.Write(content)
			} else {
				s.messages = append(s.messages, string(content))
			}
			s.mu.Unlock()
			if answers && kind == websocket.MessageText && strings.Contains(string(content), "confirm") {
				b.confirm(s)
			}
		}
	}()
	return s
}

// confirm sends the confirmation of the session.
func (b *browser) confirm(s *screen) {
	response, err := b.Post(b.base+"/terminal/ticket", "", nil)
	if err != nil {
		return // The terminal is not confirmed.
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return
	}
	ticket := make([]byte, 32<<10)
	n, _ := response.Body.Read(ticket) // The terminal is not confirmed without it.
	for {
		more, err := response.Body.Read(ticket[n:])
		n += more
		if err != nil {
			break
		}
	}
	s.send(map[string]any{"confirmation": string(ticket[:n])})
}

func (b *browser) dial(t *testing.T, path, origin string) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	headers := http.Header{}
	if origin != "" {
		headers.Set("Origin", origin)
	}
	return websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(b.base, "http")+path, &websocket.DialOptions{HTTPClient: b.Client, HTTPHeader: headers})
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.output.String()
}

// ended returns the text that says why the terminal was closed, empty while it is open.
func (s *screen) ended() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, each := range s.messages {
		if strings.Contains(each, "ended") {
			return each
		}
	}
	return ""
}

func (s *screen) enter(text string) {
	_ = s.conn.Write(context.Background(), websocket.MessageBinary, []byte(text)) // The test waits for the output.
}

func (s *screen) send(message any) {
	content, err := json.Marshal(message)
	if err == nil {
		_ = s.conn.Write(context.Background(), websocket.MessageText, content) // The test waits for the effect.
	}
}
