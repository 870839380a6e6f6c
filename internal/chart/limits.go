package chart

// Limits for the charts of a source. They bound the cost of a hostile chart. The largest of
// 347 real charts has an archive of 0.3 MB and renders to 1.1 MB of text. MaxFileBytes is
// Helm's own limit: Helm does not install a chart with a larger file.
const (
	MaxArchiveBytes  = 16 << 20
	MaxUnpackedBytes = 64 << 20
	MaxFileBytes     = 5 << 20
	MaxFiles         = 10_000
	MaxPathDepth     = 32
	MaxPathBytes     = 512
	// MaxRatio is the maximum ratio of unpacked bytes to archive bytes.
	MaxRatio = 200
	// MaxRenderedBytes is the maximum size of the rendered text of one chart unit.
	MaxRenderedBytes = 16 << 20
	// MaxImages is the maximum number of distinct images of one app.
	MaxImages = 100
)
