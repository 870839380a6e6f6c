package pages

import "sync"

// maxLogStreams, maxUserLogStreams and maxSessionLogStreams are the numbers of streams in all, of one user and of one
// session. A user can open any number of sessions.
const maxLogStreams, maxUserLogStreams, maxSessionLogStreams = 200, 10, 2

// logSlots counts the streams of logs. It is safe for concurrent use.
type logSlots struct {
	mu              sync.Mutex
	total           int
	sessions, users map[string]int
}

// acquireSlot reports whether a session of a user may open one more stream. The stream must be released.
func (s *logSlots) acquireSlot(session, user string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= maxLogStreams || s.sessions[session] >= maxSessionLogStreams || s.users[user] >= maxUserLogStreams {
		return false
	}
	s.total++
	s.sessions[session]++
	s.users[user]++
	return true
}

func (s *logSlots) releaseSlot(session, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.sessions[session]--; s.sessions[session] == 0 {
		delete(s.sessions, session)
	}
	if s.users[user]--; s.users[user] == 0 {
		delete(s.users, user)
	}
}
