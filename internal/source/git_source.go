package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source/git"
)

// maxParsingTime is the time limit for reading a pack and writing its files.
const maxParsingTime = 2 * time.Minute

// GitConfig configures charts in a git repository.
type GitConfig struct {
	// URL is the URL of the repository. Its scheme must be https or ssh.
	URL string
	// Selection selects the commit.
	Selection git.Selection
	// Path is the folder that contains the charts. Defaults to the root.
	Path string
	// Username and Password, or Token, are sent only to the scheme, host and port of URL. They
	// are for https.
	Username, Password, Token string
	// PrivateKey and KnownHosts are required for ssh.
	PrivateKey, KnownHosts []byte
	TransportConfig
	// Timeout is the timeout of one request, including its body. Defaults to DefaultTimeout.
	Timeout time.Duration
	// Checkouts holds the files of commits. Defaults to a folder for temporary files.
	Checkouts *Checkouts
}

// defaultCheckouts is used by sources without Checkouts.
var defaultCheckouts = &Checkouts{}

// gitRemote connects to a repository.
type gitRemote interface {
	// connect reads the references.
	connect(ctx context.Context) (gitSession, error)
}

// gitSession is a connection that can request one pack.
type gitSession interface {
	io.Closer
	references() git.References
	fetchPack(ctx context.Context, commit string, to io.Writer) error
}

// gitSource is a source of type Git. Its charts are found and read as in a folder.
type gitSource struct {
	listingOptions
	GitConfig
	remote gitRemote
	// title is the URL for messages, and key identifies the configuration of the checkout.
	title, key string
	// namespace is the namespace of the source.
	namespace string
}

func newGitSource(cfg Config, listed listingOptions) (*gitSource, error) {
	location, err := url.Parse(cfg.Git.URL)
	if err != nil || location.Host == "" {
		return nil, errors.New("spec.git.url: the URL cannot be parsed")
	}
	if _, hasPassword := location.User.Password(); hasPassword || location.Scheme == "https" && location.User != nil {
		return nil, fmt.Errorf("spec.git.url: %q must not contain credentials: put them into the Secret of spec.git.secretRef", redactURL(location))
	}
	source := &gitSource{listingOptions: listed, GitConfig: *cfg.Git, title: redactURL(location), namespace: cfg.Namespace}
	if source.Checkouts == nil {
		source.Checkouts = defaultCheckouts
	}
	if source.Timeout <= 0 {
		source.Timeout = DefaultTimeout
	}
	source.key = chart.Digest(fmt.Appendf(nil, "%q", []any{
		cfg.Git.URL, cfg.Git.Selection, cfg.Git.Path, cfg.Git.Username, cfg.Git.Password, cfg.Git.Token,
		cfg.Git.PrivateKey, cfg.Git.KnownHosts, cfg.Git.TransportConfig, cfg.Network,
	}))
	switch location.Scheme {
	case "https":
		source.remote, err = newGitHTTP(cfg, location)
	case "ssh":
		if cfg.Git.Proxy != (ProxyConfig{}) {
			return nil, errors.New("spec.git.proxySecretRef: SSH does not use a proxy: remove the field, or use an https URL")
		}
		source.remote, err = newGitSSH(cfg, location, source.Checkouts)
	default:
		err = fmt.Errorf("spec.git.url: %q must have the scheme https or ssh", source.title)
	}
	return source, err
}

// List reads the references. If the commit has changed, it fetches the commit and lists its charts.
func (s *gitSource) List(ctx context.Context, since hydrate.Cursor) (hydrate.Listing, error) {
	session, commit, err := s.selectCommit(ctx)
	if err != nil {
		return hydrate.Listing{}, err
	}
	defer func() { _ = session.Close() }()
	if since.ETag == commit && since.Revision != "" {
		return hydrate.Listing{Revision: since.Revision, ETag: since.ETag, NotModified: true}, nil
	}
	if err := hydrate.ReportReading(ctx, commit); err != nil {
		return hydrate.Listing{}, err
	}
	charts, err := s.Checkouts.takeCheckout(ctx, s.key)
	if err != nil {
		return hydrate.Listing{}, err
	}
	defer s.Checkouts.returnCheckout(charts)
	if err := s.update(ctx, session, charts, commit); err != nil {
		return hydrate.Listing{}, err
	}
	listing, err := s.folderOf(charts).List(ctx, hydrate.Cursor{Revision: since.Revision})
	listing.ETag = commit
	return listing, err
}

// Fetch reads a chart of the commit that was listed last. If the commit does not contain the chart,
// it fetches the selected commit.
func (s *gitSource) Fetch(ctx context.Context, offer hydrate.Offer) (hydrate.ChartContent, error) {
	charts, err := s.Checkouts.takeCheckout(ctx, s.key)
	if err != nil {
		return hydrate.ChartContent{}, err
	}
	defer s.Checkouts.returnCheckout(charts)
	if charts.revision != "" {
		content, err := s.folderOf(charts).Fetch(ctx, offer)
		if err == nil && checkDigest(content, offer) == nil {
			return content, nil
		}
		if err != nil {
			charts.clear() // Another replica may have removed the files when it started.
		}
	}
	session, commit, err := s.selectCommit(ctx)
	if err != nil {
		return hydrate.ChartContent{}, err
	}
	defer func() { _ = session.Close() }()
	if err := s.update(ctx, session, charts, commit); err != nil {
		return hydrate.ChartContent{}, err
	}
	return s.folderOf(charts).Fetch(ctx, offer)
}

// selectCommit connects to the repository and selects the commit.
func (s *gitSource) selectCommit(ctx context.Context) (gitSession, string, error) {
	session, err := s.remote.connect(ctx)
	if err != nil {
		return nil, "", s.toError(err)
	}
	commit, err := session.references().Select(s.Selection)
	if err != nil {
		return nil, "", s.toError(errors.Join(err, session.Close()))
	}
	return session, commit, nil
}

// update fetches a commit, unless it is the commit of the checkout.
func (s *gitSource) update(ctx context.Context, session gitSession, charts *checkout, commit string) error {
	if charts.revision == commit {
		return nil
	}
	pack, err := s.Checkouts.newDownload()
	if err != nil {
		return outcome.Failed(v1alpha1.ReasonFetchFailed, err)
	}
	defer pack.Close()
	if err := session.fetchPack(ctx, commit, pack); err != nil {
		return s.toError(err)
	}
	return s.toError(s.Checkouts.replace(ctx, charts, s.namespace, commit, func(ctx context.Context, to *os.Root) error {
		if _, err := pack.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("read pack: %w", err)
		}
		return outcome.Guarded(func() error { return git.Checkout(ctx, pack, commit, s.Path, to) })()
	}))
}

// folderOf returns the source that reads the charts of a checkout.
func (s *gitSource) folderOf(charts *checkout) *directory {
	return &directory{listingOptions: s.listingOptions, path: charts.dir, title: s.title, allowedRoots: []string{charts.dir}}
}

// toError adds the URL to an error.
func (s *gitSource) toError(err error) error {
	if err == nil {
		return nil
	}
	if outcome.Reason(err, "") != "" {
		return fmt.Errorf("get %s: %w", s.title, err)
	}
	if errors.Is(err, git.ErrResponse) {
		return outcome.Failed(v1alpha1.ReasonFetchFailed, fmt.Errorf("get %s: %w", s.title, err))
	}
	if panicked, ok := errors.AsType[*outcome.Panic](err); ok {
		return outcome.Stalled(v1alpha1.ReasonInvalidIndex, fmt.Errorf("get %s: read commit: %w", s.title, panicked))
	}
	return accessError(s.title, "spec.git", err)
}
