package hydrate

import (
	"time"

	"github.com/appmarket/operator/internal/chart"
)

// Offer is one version of an app that a source offers.
type Offer struct {
	// Version is a semantic version, as Helm requires.
	Version string
	// AppVersion is the version of the packaged software, in any form.
	AppVersion string
	// URL is the location of the chart. Only the source that created the offer can
	// interpret it.
	URL string
	// Digest has the form "sha256:<hex>". It is the digest of the archive, or of the file
	// tree (see chart.TreeDigest) if the source has no archive. It is empty if the source
	// does not provide one.
	Digest string
	// Created is the publication time, or zero if the source does not provide one.
	Created time.Time
	// Deprecated reports that the source has deprecated this version.
	Deprecated bool
	// Presentation contains the icon and the texts of the source, or nil if it has none. They are used where the
	// chart has none.
	Presentation *Presentation
}

// Presentation contains the icon and the texts with which a source presents an app.
type Presentation struct {
	// Icon is an http or https URL.
	Icon string
	// Title and Description are in English.
	Title, Description string
	// Translations are in other languages, sorted by language.
	Translations []Translation
}

// Size returns the number of bytes of the texts.
func (p *Presentation) Size() int {
	if p == nil {
		return 0
	}
	size := len(p.Icon) + len(p.Title) + len(p.Description)
	for _, t := range p.Translations {
		size += len(t.Locale) + len(t.Title) + len(t.Description)
	}
	return size
}

// App contains all versions that a source offers under one name.
type App struct {
	// Name is the name of the chart.
	Name string
	// Withdrawn reports that the app is no longer offered to new users. It is still served
	// to users who have installed it.
	Withdrawn bool
	// Offers are sorted by version, latest first, without duplicates.
	Offers []Offer
}

// InvalidEntry describes the invalid entries of one name.
type InvalidEntry struct {
	Name string
	Err  error
}

// Listing is the content of a source at one point in time.
type Listing struct {
	// Revision is a digest of the content of the listing, in the form "sha256:<hex>".
	Revision string
	// ETag is the validator of the response: its ETag, or its Last-Modified if it has no
	// ETag. It is empty if the response has neither.
	ETag string
	// NotModified reports that the source has not changed since the Mark. Apps is empty
	// then.
	NotModified bool
	// Apps are sorted by name.
	Apps []App
	// Skipped lists the names with invalid entries, sorted. Invalid entries do not prevent
	// the listing of others.
	Skipped []InvalidEntry
	// SkippedEntries is the number of invalid entries. An app may have several.
	SkippedEntries int
	// Incomplete reports that a part of the index could not be parsed. Apps that are not
	// listed may be in that part.
	Incomplete bool
	// Unwanted is the number of apps that are excluded by name.
	Unwanted int
}

// Cursor identifies the last listing, so that a source can return NotModified.
type Cursor struct {
	Revision string
	ETag     string
	// Complete specifies that the source checks all versions for changes, also if it checks only a part of them
	// in other listings.
	Complete bool
}

// ChartContent is a chart as its source delivers it. Either Archive or Files is set.
type ChartContent struct {
	// Archive is a gzipped tar of at most chart.MaxArchiveBytes.
	Archive []byte
	// Files are the files of a chart that the source stores as a folder.
	Files []chart.File
	// Dependencies are the charts that were fetched because the chart depends on them.
	Dependencies []chart.FetchedDependency
	// Signatures are set only if they are verified.
	Signatures Signatures
}
