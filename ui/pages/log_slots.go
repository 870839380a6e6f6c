package pages

import "sync"

// maxLogStreams and maxSessionLogStreams are the numbers of streams in all and of one session.
const maxLogStreams, maxSessionLogStreams = 200, 2

// logSlots counts the streams of logs. It is safe for concurrent use.
type logSlots struct {
	mu       sync.Mutex
	total    int
	sessions map[string]int
}

// acquireSlot reports whether a session may open one more stream. The stream must be released.
func (s *logSlots) acquireSlot(session string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= maxLogStreams || s.sessions[session] >= maxSessionLogStreams {
		return false
	}
	s.total++
	s.sessions[session]++
	return true
}

func (s *logSlots) releaseSlot(session string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.sessions[session]--; s.sessions[session] == 0 {
		delete(s.sessions, session)
	}
}
