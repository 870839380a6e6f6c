package chart

// Limits on what a source may send. They bound the cost of a hostile chart; the
// largest of 347 real charts needs 0.3 MB and 1.1 MB of rendered text. The bound
// on a single file is Helm's own: a larger one could not be installed.
const (
	MaxArchiveBytes  = 16 << 20
	MaxUnpackedBytes = 64 << 20
	MaxFileBytes     = 5 << 20
	MaxFiles         = 10_000
	MaxPathDepth     = 32
	MaxPathBytes     = 512
	// MaxRatio is how many bytes one compressed byte may unpack to, on the whole.
	MaxRatio = 200
	// MaxRenderedBytes bounds the text that one chart unit renders to.
	MaxRenderedBytes = 16 << 20
	// MaxImages bounds the different images of one app.
	MaxImages = 100
)
