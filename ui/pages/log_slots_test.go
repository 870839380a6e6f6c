package pages

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
)

// TestLogsOfAUserAreLimited follows logs in many sessions of one user.
func TestLogsOfAUserAreLimited(t *testing.T) {
	g := NewWithT(t)
	s := logSlots{sessions: map[string]int{}, users: map[string]int{}}
	followed := 0
	for i := range maxLogStreams {
		for range maxSessionLogStreams + 1 {
			if s.acquireSlot(fmt.Sprint("session-", i), "jane") {
				followed++
			}
		}
	}
	g.Expect(followed).To(Equal(maxUserLogStreams))
	g.Expect(s.acquireSlot("other", "john")).To(BeTrue(), "another user")
	s.releaseSlot("other", "john")
	s.releaseSlot("session-0", "jane")
	g.Expect(s.acquireSlot("session-0", "jane")).To(BeTrue(), "a slot is free again")
	for i := range maxUserLogStreams {
		s.releaseSlot(fmt.Sprint("session-", i/maxSessionLogStreams), "jane")
	}
	g.Expect([]any{s.total, s.sessions, s.users}).To(Equal([]any{0, map[string]int{}, map[string]int{}}))
}
