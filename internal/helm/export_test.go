package helm

// WithChunks returns an option for smaller chunks, so that a small release is stored like a large
// one.
func WithChunks(whole, chunk int) func(*Clients) {
	return func(c *Clients) { c.chunks = chunkSizes{whole: whole, chunk: chunk} }
}

// WithoutContents returns documents without their parsed contents.
var WithoutContents = withoutContents
