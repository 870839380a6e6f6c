package hydrate

import (
	"time"

	"github.com/appmarket/operator/internal/chart"
)

// Offer is one version of an app as its source offers it.
type Offer struct {
	// Version is a semantic version, as Helm asks for.
	Version string
	// AppVersion is the version of what the chart installs; free text.
	AppVersion string
	// URL says where the source keeps the chart. Only the source that made the
	// offer can read it.
	URL string
	// Digest is "sha256:<hex>" of the archive, or of the file tree (TreeDigest)
	// where the source has no archive; empty where the source does not say.
	Digest string
	// Created is when the source says it was published; zero if it does not.
	Created time.Time
	// Deprecated says that the source advises against it.
	Deprecated bool
}

// App is everything that a source offers under one name.
type App struct {
	// Name is the chart's name.
	Name string
	// Withdrawn says that the app is no longer offered to new users; it is still
	// served to those who have it.
	Withdrawn bool
	// Offers are sorted by version, newest first, without duplicates.
	Offers []Offer
}

// Skipped are the entries of one name that could not be taken in, with what is wrong
// with them.
type Skipped struct {
	Name string
	Err  error
}

// Listing is what a source offers at one moment.
type Listing struct {
	// Revision is "sha256:<hex>" over the content of the listing.
	Revision string
	// ETag is the validator the server gave: its ETag, or otherwise its
	// Last-Modified; empty if it gave none.
	ETag string
	// NotModified says that nothing changed since the Mark; Apps is then empty.
	NotModified bool
	// Apps are sorted by name.
	Apps []App
	// Skipped are the entries that are not usable, sorted by name; they never
	// keep the others from being listed.
	Skipped []Skipped
	// SkippedEntries counts the entries that are not usable, several of one app
	// included.
	SkippedEntries int
	// Incomplete says that a part of the index could not be parsed, so that an app
	// which is not listed may be in it.
	Incomplete bool
	// Unwanted counts the apps that are left out by name.
	Unwanted int
}

// Mark is what one remembers of the last listing, to ask only for a newer one.
type Mark struct {
	Revision string
	ETag     string
}

// Payload is a chart as its source delivers it: an archive or a set of files,
// never both.
type Payload struct {
	// Archive is a gzipped tar, at most Limits.ArchiveBytes long.
	Archive []byte
	// Files are the files of a chart that the source keeps as a folder.
	Files []chart.File
}
