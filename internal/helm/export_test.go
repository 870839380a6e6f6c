package helm

// WithChunks has records cut into small chunks, so that a small release is treated
// as a large one.
func WithChunks(whole, chunk int) func(*Clients) {
	return func(c *Clients) { c.chunks = chunkSizes{whole: whole, chunk: chunk} }
}

// Unread are documents without what was read of them.
var Unread = unread
