// Package source reads the places that apps come from: a Helm repository over
// HTTP, or a folder on a mounted volume.
//
// A Source lists what is offered and fetches one offer. Listing is cheap when
// nothing changed: the caller hands in the Mark of the last listing, and gets
// NotModified back without a byte of the index, or at least without a change.
// An index is read as a stream, one chart version at a time, so that a hundred
// megabytes of it cost no more memory than the few versions that are kept. An
// entry that is not usable is skipped with its reason and never keeps the others
// from being listed.
//
// What is read is not trusted: every size, count and time has a bound, folders
// are read through os.Root, credentials go only to the server they are for, and
// no connection is made to an address that the policy of package netguard refuses.
package source

import (
	"context"
	"errors"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// DefaultKeep is how many versions of an app are listed unless told.
	DefaultKeep = 3
	// DefaultTimeout bounds one request, its body included, unless told.
	DefaultTimeout = time.Minute
	// MaxApps bounds the apps of one source.
	MaxApps = 50_000
	// MaxSkipped bounds Listing.Skipped; an app is in it once.
	MaxSkipped = 1_000
)

// Source is one place that apps come from. It is safe for use by several
// goroutines, holds nothing that must be closed, and may be opened anew for
// every reconcile.
type Source interface {
	hydrate.Fetcher
	// List says what is offered. The Mark is that of an earlier listing by the
	// same Config: after a change of Config start with the zero Mark. Errors are
	// marked by internal/outcome.
	List(ctx context.Context, since hydrate.Mark) (hydrate.Listing, error)
}

// Config says which source to open; exactly one of Helm and Directory is set.
type Config struct {
	Helm      *HelmConfig
	Directory *DirectoryConfig

	// Keep is how many versions of an app are listed, the newest ones; zero means
	// DefaultKeep.
	Keep int
	// Include and Exclude are globs over names, as path.Match reads them. An app
	// is listed if any of Include matches, or there is none, and none of Exclude
	// does.
	Include []string
	Exclude []string
	// UserAgent is how the requests introduce themselves.
	UserAgent string
	// Network says to which addresses requests go.
	Network netguard.Policy
}

// HelmConfig is a Helm repository served over HTTP.
type HelmConfig struct {
	// URL is what "helm repo add" would take; http or https, without credentials.
	URL string
	// Username and Password, or otherwise Token, are sent to the scheme, host and
	// port of URL, and to no other.
	Username string
	Password string
	Token    string
	// CA are PEM certificates that are trusted beside those of the system.
	CA []byte
	// Timeout bounds one request, its body included; zero means DefaultTimeout.
	Timeout time.Duration
}

// DirectoryConfig is a folder that holds charts as folders or archives.
type DirectoryConfig struct {
	// Path is absolute.
	Path string
	// AllowedRoots are the folders that Path must be in, or be, once symbolic
	// links are followed. With none nothing is allowed.
	AllowedRoots []string
	// Cache keeps what was read for the next listing. Nil reads everything each time.
	Cache *FolderCache
}

// Open checks the Config and makes no connection. An error is stalled with
// InvalidSpec.
func Open(cfg Config) (Source, error) {
	source, err := openSource(cfg)
	if err != nil {
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidSpec, err)
	}
	return source, nil
}

func openSource(cfg Config) (Source, error) {
	if (cfg.Helm == nil) == (cfg.Directory == nil) {
		return nil, errors.New("open source: want exactly one of helm and directory")
	}
	names, err := newNameFilter(cfg.Include, cfg.Exclude)
	if err != nil {
		return nil, err
	}
	offers := listingOptions{names: names, keep: cfg.Keep}
	if offers.keep <= 0 {
		offers.keep = DefaultKeep
	}
	if cfg.Directory != nil {
		return newDirectory(*cfg.Directory, offers)
	}
	return newRepository(cfg, offers)
}
