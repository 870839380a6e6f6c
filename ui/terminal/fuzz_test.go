package terminal

import (
	"testing"

	. "github.com/onsi/gomega"
)

// FuzzControl handles any text message of a browser.
func FuzzControl(f *testing.F) {
	f.Add([]byte(`{"size":{"width":80,"height":24}}`), 100)
	f.Add([]byte(`{"size":{"width":65536,"height":-1}}`), 0)
	f.Add([]byte(`{"shown":9223372036854775807}`), 5)
	f.Add([]byte(`{"shown":-5,"confirmation":"x"}`), 5)
	f.Fuzz(func(t *testing.T, content []byte, sent int) {
		g := NewWithT(t)
		b := newBridge(&Session{}, nil, nil)
		b.unacknowledged = max(sent, 0)
		for range 3 { // A size or a confirmation that is not taken does not block.
			_ = b.handleControl(content)
		}
		g.Expect(b.unacknowledged).To(And(BeNumerically(">=", 0), BeNumerically("<=", max(sent, 0))))
	})
}
