// Package source reads the sources of apps: a Helm repository over HTTP, charts in an OCI
// registry, a git repository or an artifact of Flux, the apps of an app store of Olares, a
// folder on a mounted volume, or charts that were uploaded to the operator.
//
// A Source lists the chart versions that it offers, and fetches one of them. The
// listing of an unchanged source is cheap: the caller passes the Mark of the last
// listing, and the source returns NotModified, if possible without transferring the
// index. An index of 100 MB is read as a stream, so that only the versions that are
// listed are stored in memory. An invalid entry is skipped with a reason, and the
// other entries are listed nevertheless.
//
// Sources are untrusted: every size, count and duration has a limit, folders are
// read through os.Root, credentials are sent only to the server of the repository,
// and no connection is made to an address that the policy of package netguard
// refuses.
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
	// DefaultMaxVersions is the default number of versions of an app that are listed.
	DefaultMaxVersions = 3
	// DefaultTimeout is the default timeout of a request, including its body.
	DefaultTimeout = time.Minute
	// MaxApps is the maximum number of apps of a source.
	MaxApps = 50_000
	// MaxSkipped is the maximum length of Listing.Skipped, which contains an app once.
	MaxSkipped = 1_000
)

// Source is a source of apps. It is safe for concurrent use, does not have to be closed,
// and may be opened for every reconcile.
type Source interface {
	hydrate.Fetcher
	// List lists the chart versions that the source offers. The Mark must be from a
	// listing with the same Config: after a change of the Config pass the zero Mark.
	// Errors are classified by package outcome.
	List(ctx context.Context, since hydrate.Cursor) (hydrate.Listing, error)
}

// Config configures a Source. Exactly one of Helm, OCI, Git, Olares, Artifact, Directory and Upload must be set.
type Config struct {
	Helm      *HelmConfig
	OCI       *OCIConfig
	Git       *GitConfig
	Olares    *OlaresConfig
	Artifact  *ArtifactConfig
	Directory *DirectoryConfig
	Upload    *UploadConfig

	// MaxVersions is the number of versions of an app that are listed, the newest ones.
	// Defaults to DefaultMaxVersions.
	MaxVersions int
	// Include and Exclude are patterns of app names in the syntax of path.Match. An
	// app is listed if a pattern of Include matches or Include is empty, and no pattern
	// of Exclude matches.
	Include []string
	Exclude []string
	// Versions is a range of semantic versions. Only versions in the range are listed. If it is empty, all are.
	Versions string
	// Prereleases specifies whether prereleases are listed. If it is nil, they are, unless Versions is a
	// range that mentions none.
	Prereleases *bool
	// Namespace is the namespace of the source. Commits and artifacts are read one at a time, fairly among
	// namespaces.
	Namespace string
	// UserAgent is the User-Agent header of requests.
	UserAgent string
	// Network determines the addresses to which connections are made.
	Network netguard.Policy
	// PublishedURL is the URL of the repository with the published charts of the source. A
	// dependency with this repository is fetched from the source itself.
	PublishedURL string
	// Market contains the published charts of other sources, for dependencies whose repository is the PublishedURL of
	// another source. Optional.
	Market MarketCharts
	// Shared keeps listings for sources with the same Config. Optional.
	Shared *SharedListings
}

// HelmConfig configures a Helm repository that is served over HTTP.
type HelmConfig struct {
	// URL is the URL that "helm repo add" accepts. Its scheme must be http or https, and
	// it must not contain credentials.
	URL string
	// Username and Password, or Token, are sent only to the scheme, host and port of
	// URL.
	Username string
	Password string
	Token    string
	// TransportConfig configures the connections to this server and to the other servers of the source.
	TransportConfig
	// Timeout is the timeout of one request, including its body. Defaults to
	// DefaultTimeout.
	Timeout time.Duration
}

// OCIConfig configures charts in an OCI registry.
type OCIConfig struct {
	// URL is the repository of a chart, or the path of the repositories of Charts. Its scheme
	// must be oci.
	URL    string
	Charts []string
	// AllCharts offers all charts below URL that the catalog of the registry contains.
	AllCharts bool
	// Username and Password are sent only to the registry, and to its server for tokens.
	Username string
	Password string
	TransportConfig
	// Insecure allows plain http.
	Insecure bool
	// Timeout is the timeout of one request, including its body. Defaults to
	// DefaultTimeout.
	Timeout time.Duration
}

// DirectoryConfig configures a folder that contains charts as folders or archives.
type DirectoryConfig struct {
	// Path must be absolute.
	Path string
	// AllowedRoots are the folders of which one must contain Path, or be equal to it,
	// after symbolic links are resolved. If it is empty, no path is allowed.
	AllowedRoots []string
	// Cache caches the charts for the next listing. If it is nil, every listing reads all
	// charts.
	Cache *FolderCache
}

// Open validates the Config and does not connect to the source. An error is stalled with
// InvalidSpec, or has the reason FetchFailed if a file cannot be written.
func Open(cfg Config) (Source, error) {
	source, err := openSource(cfg)
	if err != nil && outcome.Reason(err, "") != "" && !outcome.IsStalled(err) {
		return nil, err // The cause is not the Config.
	}
	if err != nil {
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidSpec, err)
	}
	return &dependencySource{Source: cfg.Shared.shareListings(source, cfg), config: cfg}, nil
}

func openSource(cfg Config) (Source, error) {
	types := 0
	for _, set := range []bool{cfg.Helm != nil, cfg.OCI != nil, cfg.Git != nil, cfg.Olares != nil, cfg.Artifact != nil, cfg.Directory != nil, cfg.Upload != nil} {
		if set {
			types++
		}
	}
	if types != 1 {
		return nil, errors.New("spec: exactly one of helm, oci, git, olares, artifact, directory and upload must be set")
	}
	listed, err := newListingOptions(cfg)
	if err != nil {
		return nil, err
	}
	switch {
	case cfg.Directory != nil:
		return newDirectory(*cfg.Directory, listed)
	case cfg.Olares != nil:
		return newOlaresSource(cfg, listed)
	case cfg.Artifact != nil:
		return newArtifactSource(cfg, listed)
	case cfg.Git != nil:
		return newGitSource(cfg, listed)
	case cfg.OCI != nil:
		return newRegistrySource(cfg, listed)
	case cfg.Upload != nil:
		return newUpload(*cfg.Upload, listed)
	}
	return newRepository(cfg, "spec.helm", listed)
}
