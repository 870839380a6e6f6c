package chartrepo

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/appmarket/operator/hydrate"
)

// The names that become parts of paths and URLs. A chart's name is at most 250
// bytes long for Helm, the name of an object at most 253.
var (
	namePattern    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$`)
	versionPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$`)
)

const (
	recordFormat   = 1
	maxRecordBytes = 1 << 20
	// maxChartBytes bounds what one version adds to an index.
	maxChartBytes = 256 << 10
)

// blob names a file of the store by its content.
type blob struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

// record is one published version as it is kept on disk.
type record struct {
	Format    int             `json:"format"`
	Namespace string          `json:"namespace"`
	Source    string          `json:"source"`
	App       string          `json:"app"`
	Version   string          `json:"version"`
	Chart     json.RawMessage `json:"chart"`
	Archive   blob            `json:"archive"`
	Reports   *blob           `json:"reports,omitempty"`
	Created   time.Time       `json:"created"`

	// What follows is derived by decodeRecord; Chart is then nil.

	// sum is the digest of all of the above.
	sum string
	// order is the version, to sort by.
	semver *semver.Version
	// entry is the YAML of the index, all but the URL.
	entry []byte
	// etag and length are header values, made once.
	etag, length []string
}

// sealed is a record with its digest: a bit that flips in a text is still JSON.
type envelope struct {
	Digest string          `json:"digest"`
	Record json.RawMessage `json:"record"`
}

func (r *record) owner() hydrate.Owner {
	return hydrate.Owner{Namespace: r.Namespace, Source: r.Source}
}

// fileName is that of the archive below the charts of the owner.
func (r *record) fileName() string { return r.App + "-" + r.Version + ".tgz" }

func (r *record) path() string {
	return path.Join(appFolder(r.owner(), r.App), r.Version+".json")
}

// appFolder holds the records of an app. The names must have been checked.
func appFolder(owner hydrate.Owner, app string) string {
	return path.Join(recordsFolder, owner.Namespace, owner.Source, app)
}

func (r *record) blobs() []blob {
	if r.Reports == nil {
		return []blob{r.Archive}
	}
	return []blob{r.Archive, *r.Reports}
}

func (r *record) toPublished() hydrate.Published {
	p := hydrate.Published{
		Digest: r.Archive.Digest,
		Chart:  path.Join(r.Namespace, r.Source, "charts", r.fileName()),
	}
	if r.Reports != nil {
		p.Report = path.Join("reports", strings.TrimPrefix(r.Reports.Digest, "sha256:"))
	}
	return p
}

// damaged says that the file at the path cannot be served.
func (r *record) toDamagedRecord(file string, err error) DamagedRecord {
	return DamagedRecord{Owner: r.owner(), App: r.App, Version: r.Version, Path: file, Err: err}
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// encode gives the bytes of the record on disk. The same record gives the same
// bytes.
func (r *record) encode() ([]byte, error) {
	inner, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(envelope{Digest: digestOf(inner), Record: inner})
	return append(data, '\n'), err
}

// decodeRecord reads a record and derives what the server needs of it. It
// refuses one that is altered, or that is not of the path where it was found.
func decodeRecord(file string, data []byte) (*record, error) {
	var outer envelope
	if err := json.Unmarshal(data, &outer); err != nil {
		return nil, fmt.Errorf("decode record: %w", err)
	}
	if digestOf(outer.Record) != outer.Digest {
		return nil, errors.New("decode record: it does not match its digest")
	}
	r := &record{sum: outer.Digest}
	decoder := json.NewDecoder(bytes.NewReader(outer.Record))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(r); err != nil {
		return nil, fmt.Errorf("decode record: %w", err)
	}
	if err := r.validateFields(); err != nil {
		return nil, err
	}
	if r.path() != file {
		return nil, fmt.Errorf("decode record: it belongs at %q", r.path())
	}
	return r, r.setDerivedFields()
}

// check tells whether every field may become part of a path, an URL or an index.
func (r *record) validateFields() error {
	switch {
	case r.Format != recordFormat:
		return fmt.Errorf("format %d is not known", r.Format)
	case !namePattern.MatchString(r.Namespace):
		return fmt.Errorf("namespace %q is not a name", r.Namespace)
	case !namePattern.MatchString(r.Source):
		return fmt.Errorf("source %q is not a name", r.Source)
	case !namePattern.MatchString(r.App):
		return fmt.Errorf("app %q is not a name", r.App)
	case !versionPattern.MatchString(r.Version):
		return fmt.Errorf("version %q is not a version", r.Version)
	}
	for _, b := range r.blobs() {
		if !digestPattern.MatchString(b.Digest) || b.Size < 0 {
			return fmt.Errorf("digest %q is not a SHA-256 digest", b.Digest)
		}
	}
	return nil
}

// derive fills the fields that are not on disk, and lets go of the chart.
func (r *record) setDerivedFields() (err error) {
	if r.semver, err = semver.NewVersion(r.Version); err != nil {
		return fmt.Errorf("version %q is not semantic: %w", r.Version, err)
	}
	if r.entry, err = renderEntry(r); err != nil {
		return err
	}
	r.Chart = nil
	r.etag = []string{`"` + r.Archive.Digest + `"`}
	r.length = []string{fmt.Sprint(r.Archive.Size)}
	return nil
}

// newer orders versions of an app, the newest first.
func compareNewestFirst(a, b *record) int {
	if c := b.semver.Compare(a.semver); c != 0 {
		return c
	}
	return strings.Compare(b.Version, a.Version)
}
