package chart

// Media types of the archive of a chart in a registry. Helm before 3.7 used the second one.
const (
	archiveMediaType    = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	oldArchiveMediaType = "application/tar+gzip"
)

// IsArchiveMediaType reports whether a layer with this media type is the archive of a chart.
func IsArchiveMediaType(mediaType string) bool {
	return mediaType == archiveMediaType || mediaType == oldArchiveMediaType
}
