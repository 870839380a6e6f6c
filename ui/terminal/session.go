package terminal

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"k8s.io/client-go/tools/remotecommand"

	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/ui/recording"
)

// Ending is the reason why a terminal ended.
type Ending string

// Reasons why a terminal ends.
const (
	// Ended means that the command ended, with or without an error.
	Ended Ending = "Ended"
	// Disconnected means that the page was closed or does not respond.
	Disconnected Ending = "Disconnected"
	// SignedOut means that the user is no longer signed in.
	SignedOut Ending = "SignedOut"
	// Denied means that the user no longer has the right.
	Denied Ending = "Denied"
	// Idle means that there was no input and no output.
	Idle Ending = "Idle"
	// Expired means that the terminal was open for too long.
	Expired Ending = "Expired"
	// NotRecorded means that the recording failed.
	NotRecorded Ending = "NotRecorded"
	// RecordingTooLarge means that the recording reached its maximum size.
	RecordingTooLarge Ending = "RecordingTooLarge"
	// InputNotRead means that the command does not read what the user types.
	InputNotRead Ending = "InputNotRead"
	// Invalid means that the page sent a message that is not part of the protocol.
	Invalid Ending = "Invalid"
	// ShutDown means that the server stops.
	ShutDown Ending = "ShutDown"
)

// Error returns the reason.
func (e Ending) Error() string { return string(e) }

// messageTimeout bounds the sending of a message to a browser.
const messageTimeout = 10 * time.Second

// Run runs the command of a terminal until it ends or the context is done.
type Run func(ctx context.Context, input io.Reader, output io.Writer, sizes remotecommand.TerminalSizeQueue) error

// Confirm checks the text by which a page confirms that its user is still signed in. An error that is an Ending
// ends the terminal.
type Confirm func(ctx context.Context, text string) error

// Session is an open terminal.
type Session struct {
	manager   *Manager
	id        string
	about     recording.About
	began     time.Time
	size      Size
	recording *recording.Recording
	canceled  chan Ending
	// active is the time of the last input or output, in nanoseconds since the epoch.
	active   atomic.Int64
	hadInput atomic.Bool
}

// cancelWith ends the terminal. It does not block: the first reason counts.
func (s *Session) cancelWith(reason Ending) {
	select {
	case s.canceled <- reason:
	default:
	}
}

// Serve connects the browser with the command until one of them ends. It returns the reason, and the error of
// the command if the command ended the terminal. The caller must close the connection after it has sent the
// reason.
func (s *Session) Serve(ctx context.Context, conn *websocket.Conn, run Run, confirm Confirm) (Ending, error) {
	limited, release := context.WithTimeoutCause(ctx, s.manager.MaxDuration, Expired)
	defer release()
	ctx, cancel := context.WithCancelCause(limited)
	defer cancel(nil)
	conn.SetReadLimit(maxMessageBytes)
	s.markActive()
	b := newBridge(s, conn, cancel)
	defer b.closeBridge()
	context.AfterFunc(ctx, b.closeBridge)
	// Reading does not end with the context, because that would close the connection before the reason is sent.
	reading := context.WithoutCancel(ctx)
	for _, work := range []func() error{
		func() error { return b.readMessages(reading) },
		func() error { return s.superviseSession(ctx, b, confirm) },
	} {
		go func() { cancel(endingOf(outcome.Guarded(work)())) }()
	}
	if err := b.sendControl(ctx, serverMessage{Open: true}); err != nil {
		return Disconnected, nil
	}
	err := run(ctx, b.input, b, sizeQueue{ctx, b.resizes})
	if cause := context.Cause(ctx); cause != nil {
		return endingOf(cause), nil
	}
	return Ended, err
}

// endingOf returns the reason for an error. Errors of the connection mean that the browser has closed it.
func endingOf(err error) Ending {
	var reason Ending
	if errors.As(err, &reason) {
		return reason
	}
	return Disconnected
}

// superviseSession ends the terminal if the page does not respond, is idle, or does not confirm its session.
func (s *Session) superviseSession(ctx context.Context, b *bridge, confirm Confirm) error {
	ping, due := time.NewTicker(s.manager.PingPeriod), time.NewTicker(s.manager.ConfirmPeriod)
	defer ping.Stop()
	defer due.Stop()
	awaited := false
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case reason := <-s.canceled:
			return reason
		case <-ping.C:
			if err := s.checkLife(ctx, b); err != nil {
				return err
			}
		case <-due.C:
			if awaited {
				return SignedOut
			}
			awaited = true
			if err := b.sendControl(ctx, serverMessage{Confirm: true}); err != nil {
				return Disconnected
			}
		case text := <-b.confirmations:
			if err := confirm(ctx, text); err != nil {
				return err
			}
			awaited = false
		}
	}
}

// checkLife sends a sign of life, and ends an idle terminal.
func (s *Session) checkLife(ctx context.Context, b *bridge) error {
	if time.Since(time.Unix(0, s.active.Load())) > s.manager.IdleTimeout {
		return Idle
	}
	if s.recording != nil {
		if err := s.recording.Touch(time.Now()); err != nil {
			return NotRecorded
		}
	}
	// A context that ends while a message is sent would close the connection before the reason is sent.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), messageTimeout)
	defer cancel()
	if b.conn.Ping(ctx) != nil {
		return Disconnected
	}
	return nil
}

// HadInput reports whether the user has entered anything.
func (s *Session) HadInput() bool { return s.hadInput.Load() }

func (s *Session) markActive() { s.active.Store(time.Now().UnixNano()) }

// End releases the terminal, and completes its recording. It returns the duration and the digest of the recording,
// which is empty if the terminal was not recorded.
func (s *Session) End(outcome string) (time.Duration, string, error) {
	defer s.manager.removeSession(s)
	if s.recording == nil {
		return time.Since(s.began), "", nil
	}
	digest, err := s.recording.End(outcome)
	return time.Since(s.began), digest, err
}
