package terminal_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/tools/remotecommand"

	"github.com/appmarket/operator/ui/recording"
	"github.com/appmarket/operator/ui/terminal"
)

// serve serves terminals whose command is run.
func serve(t *testing.T, manager *terminal.Manager, run terminal.Run) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.CloseNow()
		session, err := manager.Begin("session", recording.About{User: "jane"}, terminal.Size{Width: 80, Height: 24})
		if err != nil {
			terminal.SendEnd(r.Context(), conn, terminal.Explanation{Text: err.Error()})
			return
		}
		ending, err := session.Serve(r.Context(), conn, run, func(context.Context, string) error { return nil })
		if _, _, err := session.End(""); err != nil {
			t.Error(err)
		}
		terminal.SendEnd(r.Context(), conn, terminal.Explanation{Text: errors.Join(ending, err).Error()})
	}))
	t.Cleanup(server.Close)
	return "ws" + strings.TrimPrefix(server.URL, "http")
}

// openAndRead opens a terminal, and returns its output and why it was closed.
func openAndRead(t *testing.T, url, input string) (output, why string) {
	t.Helper()
	g := NewWithT(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, url, nil)
	g.Expect(err).NotTo(HaveOccurred())
	defer conn.CloseNow()
	if input != "" {
		g.Expect(conn.Write(ctx, websocket.MessageBinary, []byte(input))).To(Succeed())
	}
	for {
		kind, content, err := conn.Read(ctx)
		g.Expect(err).NotTo(HaveOccurred(), "the reason was not sent before the connection was closed")
		if kind == websocket.MessageBinary {
			output += string(content)
			continue
		}
		var message struct{ Ended *terminal.Explanation }
		g.Expect(json.Unmarshal(content, &message)).To(Succeed())
		if message.Ended != nil {
			return output, message.Ended.Text
		}
	}
}

// waitForEnd is a command that runs until the terminal is closed.
func waitForEnd(ctx context.Context, _ io.Reader, _ io.Writer, _ remotecommand.TerminalSizeQueue) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestReasonIsSentWithASignOfLife ends terminals at the time of a sign of life.
func TestReasonIsSentWithASignOfLife(t *testing.T) {
	url := serve(t, terminal.NewManager(terminal.Options{PingPeriod: 10 * time.Millisecond, MaxDuration: 20 * time.Millisecond}), waitForEnd)
	for range 30 {
		_, why := openAndRead(t, url, "")
		NewWithT(t).Expect(why).To(Equal(terminal.Expired.Error()))
	}
}

func TestOutputOfACommand(t *testing.T) {
	g := NewWithT(t)
	url := serve(t, terminal.NewManager(terminal.Options{}), func(_ context.Context, input io.Reader, output io.Writer, sizes remotecommand.TerminalSizeQueue) error {
		text := make([]byte, 5)
		if _, err := io.ReadFull(input, text); err != nil {
			return err
		}
		if size := sizes.Next(); size == nil || size.Width != 80 {
			return errors.New("unexpected size")
		}
		_, err := output.Write([]byte(strings.ToUpper(string(text))))
		return err
	})
	output, why := openAndRead(t, url, "hello")
	g.Expect(output).To(Equal("HELLO"))
	g.Expect(why).To(Equal(terminal.Ended.Error()))
}

// TestTerminalsOfAUserAreLimited opens one more than a user may, and one after another was closed.
func TestTerminalsOfAUserAreLimited(t *testing.T) {
	g := NewWithT(t)
	manager := terminal.NewManager(terminal.Options{})
	about, size := recording.About{User: "jane"}, terminal.Size{Width: 80, Height: 24}
	var last *terminal.Session
	for range 4 {
		session, err := manager.Begin("a", about, size)
		g.Expect(err).NotTo(HaveOccurred())
		last = session
	}
	_, err := manager.Begin("b", about, size)
	g.Expect(err).To(MatchError(terminal.ErrTooMany))
	_, err = manager.Begin("b", recording.About{User: "joe"}, size)
	g.Expect(err).NotTo(HaveOccurred())
	_, _, err = last.End("")
	g.Expect(err).NotTo(HaveOccurred())
	_, err = manager.Begin("b", about, size)
	g.Expect(err).NotTo(HaveOccurred())
}
