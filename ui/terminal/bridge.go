package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/coder/websocket"
	"k8s.io/client-go/tools/remotecommand"

	"github.com/appmarket/operator/ui/recording"
)

const (
	// maxMessageBytes is the size of the largest message of a browser. Confirmations contain a token.
	maxMessageBytes = 64 << 10
	// maxUnacknowledged is the number of bytes that a browser may not have shown yet. The command waits then.
	maxUnacknowledged = 1 << 20
	// maxSide is the largest width or height of a terminal, in characters.
	maxSide = 500
)

// Size is the size of a terminal in characters.
type Size struct {
	Width  uint16 `json:"width"`
	Height uint16 `json:"height"`
}

// IsValid reports whether a terminal can have the size.
func (s Size) IsValid() bool {
	return s.Width > 0 && s.Height > 0 && s.Width <= maxSide && s.Height <= maxSide
}

// browserMessage is a text message of a browser. It has one of the fields.
type browserMessage struct {
	Size *Size `json:"size,omitempty"`
	// Shown is a number of bytes that were shown.
	Shown int `json:"shown,omitempty"`
	// Confirmation shows that the user is still signed in.
	Confirmation string `json:"confirmation,omitempty"`
}

// serverMessage is a text message to a browser. It has one of the fields.
type serverMessage struct {
	// Open reports that the terminal is connected.
	Open bool `json:"open,omitempty"`
	// Confirm asks the browser to confirm that the user is still signed in.
	Confirm bool `json:"confirm,omitempty"`
	// Ended says why the terminal was closed.
	Ended *Explanation `json:"ended,omitempty"`
}

// Explanation tells a user why a terminal was closed.
type Explanation struct {
	Text string `json:"text"`
	// Detail is the message of the API server or of the node, and Command a command that can help.
	Detail  string `json:"detail,omitempty"`
	Command string `json:"command,omitempty"`
}

// bridge passes messages between the browser and the command.
type bridge struct {
	session       *Session
	conn          *websocket.Conn
	cancel        context.CancelCauseFunc
	input         *inputBuffer
	resizes       chan Size
	confirmations chan string

	mu sync.Mutex
	// unacknowledged is the number of bytes that were sent and not shown yet. shown is signaled when it
	// changes, and closed reports that the terminal has ended.
	unacknowledged int
	shown          sync.Cond
	closed         bool
}

func newBridge(s *Session, conn *websocket.Conn, cancel context.CancelCauseFunc) *bridge {
	b := &bridge{
		session: s, conn: conn, cancel: cancel, input: newInputBuffer(), resizes: make(chan Size, 1), confirmations: make(chan string, 1),
	}
	b.shown.L = &b.mu
	b.resizes <- s.size
	return b
}

// closeBridge ends waiting reads and writes.
func (b *bridge) closeBridge() {
	b.input.closeInput()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.shown.Broadcast()
}

// readMessages handles the messages of the browser. It always returns an error.
func (b *bridge) readMessages(ctx context.Context) error {
	for {
		kind, content, err := b.conn.Read(ctx)
		if err != nil {
			return err
		}
		if kind == websocket.MessageText {
			if err := b.handleControl(content); err != nil {
				return err
			}
			continue
		}
		b.session.markActive()
		b.session.hadInput.Store(true)
		if !b.input.addInput(content) {
			return InputNotRead
		}
	}
}

func (b *bridge) handleControl(content []byte) error {
	var message browserMessage
	if json.Unmarshal(content, &message) != nil {
		return Invalid
	}
	switch {
	case message.Size != nil && message.Size.IsValid():
		return b.changeSize(*message.Size)
	case message.Shown > 0:
		b.mu.Lock()
		defer b.mu.Unlock()
		b.unacknowledged = max(0, b.unacknowledged-message.Shown)
		b.shown.Broadcast()
		return nil
	case message.Confirmation != "":
		select {
		case b.confirmations <- message.Confirmation:
		default: // One is being checked.
		}
		return nil
	}
	return Invalid
}

// changeSize passes a size to the command. A size that the command has not taken yet is replaced.
func (b *bridge) changeSize(size Size) error {
	if size == b.session.size {
		return nil
	}
	b.session.size = size
	if recorded := b.session.recording; recorded != nil {
		if err := recorded.WriteSize(size.Width, size.Height); err != nil {
			return recordingEnding(err)
		}
	}
	select {
	case <-b.resizes:
	default:
	}
	b.resizes <- size
	return nil
}

// Write sends output of the command to the browser, after it was recorded. It waits while the browser shows
// earlier output.
func (b *bridge) Write(output []byte) (int, error) {
	b.session.markActive()
	if recorded := b.session.recording; recorded != nil {
		if err := recorded.WriteOutput(output); err != nil {
			b.cancel(recordingEnding(err))
			return 0, err
		}
	}
	if !b.awaitWindow(len(output)) {
		return 0, Disconnected
	}
	ctx, cancel := context.WithTimeout(context.Background(), messageTimeout)
	defer cancel()
	if err := b.conn.Write(ctx, websocket.MessageBinary, output); err != nil {
		b.cancel(Disconnected)
		return 0, err
	}
	return len(output), nil
}

// awaitWindow waits until the browser has shown enough. It returns false if the terminal has ended.
func (b *bridge) awaitWindow(size int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.unacknowledged > maxUnacknowledged && !b.closed {
		b.shown.Wait()
	}
	b.unacknowledged += size
	return !b.closed
}

// recordingEnding returns the reason for an error of a recording.
func recordingEnding(err error) Ending {
	if errors.Is(err, recording.ErrTooLarge) {
		return RecordingTooLarge
	}
	return NotRecorded
}

// sendControl sends a text message.
func (b *bridge) sendControl(ctx context.Context, message serverMessage) error {
	return sendMessage(ctx, b.conn, message)
}

func sendMessage(ctx context.Context, conn *websocket.Conn, message serverMessage) error {
	content, err := json.Marshal(message)
	if err != nil {
		return err
	}
	// A context that ends while a message is sent would close the connection.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), messageTimeout)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, content)
}

// SendEnd tells the user why a terminal was closed, and closes the connection.
func SendEnd(ctx context.Context, conn *websocket.Conn, why Explanation) {
	_ = sendMessage(ctx, conn, serverMessage{Ended: &why}) // The page is gone if it fails.
	_ = conn.Close(websocket.StatusNormalClosure, "")      // The page is gone if it fails.
}

// sizeQueue returns the sizes of a terminal until the context is done.
type sizeQueue struct {
	ctx     context.Context
	resizes <-chan Size
}

// Next waits for the next size. It returns nil at the end.
func (q sizeQueue) Next() *remotecommand.TerminalSize {
	select {
	case <-q.ctx.Done():
		return nil
	case size := <-q.resizes:
		return &remotecommand.TerminalSize{Width: size.Width, Height: size.Height}
	}
}
