// Package terminal connects the terminal of a browser with a command in a container.
//
// The browser sends what the user types as binary messages, and receives the output as binary messages. Text
// messages are JSON: the browser sends sizes, acknowledges output, and confirms at intervals that the user is
// still signed in; the server requests that, and sends the reason for the end of the terminal.
//
// Everything is bounded: the number of terminals of a user and of all users, their duration, the time without
// input and output, the size of messages, and the bytes that wait for a program or a browser that does not read.
// A terminal that must be recorded ends if it cannot be recorded.
package terminal

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/appmarket/operator/ui/recording"
)

const (
	// maxTerminals and maxUserTerminals are the numbers of open terminals of all users and of one.
	maxTerminals, maxUserTerminals = 50, 4
	// maxDuration is the time after which a terminal ends, and idleTimeout the time without input and output
	// after which it does.
	maxDuration, idleTimeout = 4 * time.Hour, 30 * time.Minute
	// pingPeriod is the time between two signs of life. confirmPeriod is the time between two confirmations that
	// the user is still signed in. A terminal ends if one is missing when the next one is due, which is less
	// than 90 seconds after the last.
	pingPeriod, confirmPeriod = 20 * time.Second, 40 * time.Second
)

// ErrTooMany is the error for a terminal that exceeds the number of open terminals.
var ErrTooMany = errors.New("too many terminals are open")

// Options configure a Manager. Durations that are 0 have default values.
type Options struct {
	// Recordings keeps a recording of each terminal. If it is nil, terminals are not recorded.
	Recordings                *recording.Store
	PingPeriod, ConfirmPeriod time.Duration
	IdleTimeout, MaxDuration  time.Duration
}

// Manager counts the open terminals. It is safe for concurrent use.
type Manager struct {
	Options

	mu     sync.Mutex
	open   map[*Session]struct{}
	users  map[string]int
	closed bool
	done   sync.WaitGroup
}

// NewManager returns a Manager without terminals.
func NewManager(o Options) *Manager {
	for _, each := range []struct {
		value *time.Duration
		usual time.Duration
	}{{&o.PingPeriod, pingPeriod}, {&o.ConfirmPeriod, confirmPeriod}, {&o.IdleTimeout, idleTimeout}, {&o.MaxDuration, maxDuration}} {
		if *each.value == 0 {
			*each.value = each.usual
		}
	}
	return &Manager{Options: o, open: map[*Session]struct{}{}, users: map[string]int{}}
}

// IsRecording reports whether terminals are recorded.
func (m *Manager) IsRecording() bool { return m.Recordings != nil }

// Begin begins a terminal of a user in a session of the pages. The caller must call Session.End. The error is
// ErrTooMany, or describes why the terminal cannot be recorded.
func (m *Manager) Begin(sessionID string, about recording.About, size Size) (*Session, error) {
	s := &Session{manager: m, id: sessionID, about: about, began: time.Now(), size: size, canceled: make(chan Ending, 1)}
	if !m.addSession(s) {
		return nil, ErrTooMany
	}
	if m.Recordings == nil {
		return s, nil
	}
	var err error
	if s.recording, err = m.Recordings.Begin(about, size.Width, size.Height); err != nil {
		m.removeSession(s)
		return nil, err
	}
	return s, nil
}

func (m *Manager) addSession(s *Session) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || len(m.open) >= maxTerminals || m.users[s.about.User] >= maxUserTerminals {
		return false
	}
	m.open[s] = struct{}{}
	m.users[s.about.User]++
	m.done.Add(1)
	return true
}

func (m *Manager) removeSession(s *Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.open, s)
	if m.users[s.about.User]--; m.users[s.about.User] == 0 {
		delete(m.users, s.about.User)
	}
	m.done.Done()
}

// EndSession ends the terminals of a session of the pages, whose user signs out.
func (m *Manager) EndSession(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.open {
		if s.id == id {
			s.cancelWith(SignedOut)
		}
	}
}

// Close ends all terminals, refuses new ones, and waits until the recordings are complete or the context is done.
func (m *Manager) Close(ctx context.Context) error {
	m.mu.Lock()
	m.closed = true
	for s := range m.open {
		s.cancelWith(ShutDown)
	}
	m.mu.Unlock()
	done := make(chan struct{})
	go func() {
		m.done.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
