package terminal

import (
	"io"
	"sync"
)

// maxInputBytes is the number of bytes that a user can type or paste while the command does not read.
const maxInputBytes = 1 << 20

// inputBuffer contains what the user has typed and the command has not read. It is safe for concurrent use.
type inputBuffer struct {
	mu      sync.Mutex
	changed sync.Cond
	content []byte
	closed  bool
}

func newInputBuffer() *inputBuffer {
	b := &inputBuffer{}
	b.changed.L = &b.mu
	return b
}

// addInput adds input. It returns false if too much is not read.
func (b *inputBuffer) addInput(input []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.content)+len(input) > maxInputBytes {
		return false
	}
	b.content = append(b.content, input...)
	b.changed.Signal()
	return true
}

// Read waits for input. It returns io.EOF after closeInput.
func (b *inputBuffer) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.content) == 0 && !b.closed {
		b.changed.Wait()
	}
	if b.closed {
		return 0, io.EOF
	}
	n := copy(p, b.content)
	b.content = b.content[n:]
	return n, nil
}

// closeInput ends reading.
func (b *inputBuffer) closeInput() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.changed.Broadcast()
}
