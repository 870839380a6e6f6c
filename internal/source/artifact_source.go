package source

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source/archive"
)

// chartArchive is the name of the archive of an artifact that is a chart.
const chartArchive = "chart.tgz"

// ArtifactConfig configures the artifact of an object of Flux.
type ArtifactConfig struct {
	// URL is the URL of the artifact, and Digest its digest with the algorithm: sha256, sha384 or sha512.
	URL, Digest string
	// Revision is the revision that Flux has read. It is not checked.
	Revision string
	// Path is the folder that contains the charts. Defaults to the root.
	Path string
	// IsChart reports whether the artifact is the archive of a chart.
	IsChart bool
	// Title is the object for messages.
	Title string
	// Timeout is the timeout of the request, including its body. Defaults to DefaultTimeout.
	Timeout time.Duration
	// Checkouts holds the files of the artifact. Defaults to a folder for temporary files.
	Checkouts *Checkouts
}

// artifactSource is a source of type Artifact. Its charts are found and read as in a folder.
type artifactSource struct {
	listingOptions
	ArtifactConfig
	client   *httpClient
	location *url.URL
	// key identifies the configuration of the checkout. namespace is the namespace of the source.
	key, namespace string
}

func newArtifactSource(cfg Config, listed listingOptions) (*artifactSource, error) {
	location, err := url.Parse(cfg.Artifact.URL)
	if err != nil || location.Host == "" || location.User != nil {
		return nil, fmt.Errorf("spec.artifact: the URL of the artifact of %s is not a URL without credentials", cfg.Artifact.Title)
	}
	if newDigest(cfg.Artifact.Digest) == nil {
		return nil, fmt.Errorf("spec.artifact: the artifact of %s has no digest of the type sha256, sha384 or sha512", cfg.Artifact.Title)
	}
	source := &artifactSource{listingOptions: listed, ArtifactConfig: *cfg.Artifact, location: location, namespace: cfg.Namespace}
	if source.Checkouts == nil {
		source.Checkouts = defaultCheckouts
	}
	if source.client, err = newHTTPClient(cfg, httpAccess{timeout: source.Timeout}, location); err != nil {
		return nil, err
	}
	source.key = chart.Digest(fmt.Appendf(nil, "artifact %q", []any{cfg.Artifact.URL, cfg.Artifact.Path, cfg.Artifact.IsChart, cfg.Network}))
	return source, nil
}

// newDigest returns the hash function of a digest, nil if it is not supported.
func newDigest(digest string) hash.Hash {
	algorithm, sum, _ := strings.Cut(digest, ":")
	var function hash.Hash
	switch algorithm {
	case "sha256":
		function = sha256.New()
	case "sha384":
		function = sha512.New384()
	case "sha512":
		function = sha512.New()
	default:
		return nil
	}
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != function.Size() {
		return nil
	}
	return function
}

// List lists the charts of the artifact. If its digest has not changed, it sends no request.
func (s *artifactSource) List(ctx context.Context, since hydrate.Cursor) (hydrate.Listing, error) {
	if since.ETag == s.Digest && since.Revision != "" {
		return hydrate.Listing{Revision: since.Revision, ETag: since.ETag, NotModified: true}, nil
	}
	if err := hydrate.ReportReading(ctx, s.Digest); err != nil {
		return hydrate.Listing{}, err
	}
	charts, err := s.takeCheckout(ctx)
	if err != nil {
		return hydrate.Listing{}, err
	}
	defer s.Checkouts.returnCheckout(charts)
	listing, err := s.folderOf(charts).List(ctx, hydrate.Cursor{Revision: since.Revision})
	listing.ETag = s.Digest
	return listing, err
}

// Fetch reads a chart of the artifact. It fetches the artifact again if another replica has removed its
// files.
func (s *artifactSource) Fetch(ctx context.Context, offer hydrate.Offer) (hydrate.ChartContent, error) {
	charts, err := s.takeCheckout(ctx)
	if err != nil {
		return hydrate.ChartContent{}, err
	}
	defer s.Checkouts.returnCheckout(charts)
	content, err := s.folderOf(charts).Fetch(ctx, offer)
	if err == nil {
		return content, nil
	}
	charts.clear()
	if err := s.updateCheckout(ctx, charts); err != nil {
		return hydrate.ChartContent{}, err
	}
	return s.folderOf(charts).Fetch(ctx, offer)
}

// takeCheckout waits for the checkout, and fetches the artifact if it contains another one.
func (s *artifactSource) takeCheckout(ctx context.Context) (*checkout, error) {
	charts, err := s.Checkouts.takeCheckout(ctx, s.key)
	if err != nil {
		return nil, err
	}
	if err := s.updateCheckout(ctx, charts); err != nil {
		s.Checkouts.returnCheckout(charts)
		return nil, err
	}
	return charts, nil
}

// updateCheckout fetches the artifact, unless the checkout contains it.
func (s *artifactSource) updateCheckout(ctx context.Context, charts *checkout) error {
	if charts.revision == s.Digest {
		return nil
	}
	file, err := s.Checkouts.newDownload()
	if err != nil {
		return outcome.Failed(v1alpha1.ReasonFetchFailed, err)
	}
	defer file.Close()
	if err := s.downloadArtifact(ctx, file); err != nil {
		return err
	}
	return s.toError(s.Checkouts.replace(ctx, charts, s.namespace, s.Digest, func(ctx context.Context, to *os.Root) error {
		return outcome.Guarded(func() error { return s.unpackArtifact(ctx, file, to) })()
	}))
}

// unpackArtifact writes the charts of a downloaded artifact.
func (s *artifactSource) unpackArtifact(ctx context.Context, file *os.File, to *os.Root) error {
	if !s.IsChart {
		return archive.Unpack(ctx, file, s.Path, to)
	}
	out, err := to.OpenFile(chartArchive, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write %q: %w", chartArchive, err)
	}
	_, err = file.Seek(0, io.SeekStart)
	if err == nil {
		_, err = io.Copy(out, file)
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("write %q: %w", chartArchive, err)
	}
	return nil
}

// downloadArtifact writes the artifact to a file, and compares its digest.
func (s *artifactSource) downloadArtifact(ctx context.Context, file io.Writer) error {
	response, err := s.client.sendGet(ctx, s.location, http.Header{"Accept-Encoding": {"identity"}})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := s.checkStatus(response); err != nil {
		return err
	}
	limit := int64(archive.MaxBytes)
	if s.IsChart {
		limit = chart.MaxArchiveBytes
	}
	sum := newDigest(s.Digest)
	size, err := io.Copy(io.MultiWriter(volumeWriter{file}, sum), io.LimitReader(response.Body, limit+1))
	if failed, isVolume := errors.AsType[volumeError](err); isVolume {
		return outcome.Failed(v1alpha1.ReasonFetchFailed, fmt.Errorf("get %s: write to the volume of the operator: %w", redactURL(s.location), failed.cause))
	}
	if err != nil {
		return s.client.connectionError(s.location, err)
	}
	if size > limit {
		return s.toError(outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "the artifact is larger than %d bytes", limit))
	}
	if _, want, _ := strings.Cut(s.Digest, ":"); !strings.EqualFold(hex.EncodeToString(sum.Sum(nil)), want) {
		return outcome.Stalled(v1alpha1.ReasonDigestMismatch, fmt.Errorf(
			"get %s: the response does not have the digest %s of the artifact of %s", redactURL(s.location), s.Digest, s.Title))
	}
	return nil
}

// checkStatus returns an error for a status other than 200. Flux removes old artifacts.
func (s *artifactSource) checkStatus(response *http.Response) error {
	switch response.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		return outcome.Failed(v1alpha1.ReasonFetchFailed, fmt.Errorf("get %s: server returned %d %s for the artifact of %s",
			redactURL(s.location), response.StatusCode, http.StatusText(response.StatusCode), s.Title))
	}
	return s.client.checkStatus(response, s.location)
}

// folderOf returns the source that reads the charts of a checkout.
func (s *artifactSource) folderOf(charts *checkout) *directory {
	return &directory{listingOptions: s.listingOptions, path: charts.dir, title: redactURL(s.location), allowedRoots: []string{charts.dir}}
}

// toError adds the object to an error.
func (s *artifactSource) toError(err error) error {
	if err == nil {
		return nil
	}
	if panicked, ok := errors.AsType[*outcome.Panic](err); ok {
		return outcome.Stalled(v1alpha1.ReasonInvalidIndex, fmt.Errorf("read artifact of %s: %w", s.Title, panicked))
	}
	if outcome.Reason(err, "") != "" {
		return fmt.Errorf("read artifact of %s: %w", s.Title, err)
	}
	return outcome.Failed(v1alpha1.ReasonFetchFailed, fmt.Errorf("read artifact of %s: %w", s.Title, normalizeError(err)))
}

// volumeWriter marks the errors of a file, so that they differ from the errors of a response.
type volumeWriter struct{ io.Writer }

// volumeError is the error of a volumeWriter.
type volumeError struct{ cause error }

func (e volumeError) Error() string { return e.cause.Error() }

func (w volumeWriter) Write(data []byte) (int, error) {
	n, err := w.Writer.Write(data)
	if path, ok := errors.AsType[*os.PathError](err); ok {
		err = path.Err
	}
	if err != nil {
		err = volumeError{err}
	}
	return n, err
}
