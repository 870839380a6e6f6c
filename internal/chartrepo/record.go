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

// Names that become parts of paths and URLs. Helm allows 250 bytes for the name of a chart,
// Kubernetes 253 for the name of an object.
var (
	namePattern    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$`)
	versionPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$`)
)

const (
	recordFormat   = 1
	maxRecordBytes = 1 << 20
	// maxChartBytes is the maximum size of the metadata of one version in an index.
	maxChartBytes = 256 << 10
)

const (
	recordsFolder = "records"
	blobsFolder   = "blobs/sha256"
)

// digestPattern is the only form of digest that becomes part of a path.
var digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// blobPath returns the path of the blob with a digest that matches digestPattern.
func blobPath(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return path.Join(blobsFolder, hex[:2], hex)
}

// blob identifies a file of the store by its content.
type blob struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

// record is one published version as it is stored.
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

	// decodeRecord sets the following fields and clears Chart.

	// sum is the digest of the fields above.
	sum string
	// semver is the parsed version, for sorting.
	semver *semver.Version
	// entry is the YAML of the index entry, without the URL.
	entry []byte
	// file is the file from which the record was read. It has no name if the record was written by
	// this process.
	file FileInfo
	// etag and length are header values, allocated once.
	etag, length []string
}

// envelope is a record with its digest: a flipped bit in JSON can result in valid JSON.
type envelope struct {
	Digest string          `json:"digest"`
	Record json.RawMessage `json:"record"`
}

func (r *record) owner() hydrate.Owner {
	return hydrate.Owner{Namespace: r.Namespace, Source: r.Source}
}

// fileName returns the file name of the archive.
func (r *record) fileName() string { return r.App + "-" + r.Version + ".tgz" }

func (r *record) path() string {
	return path.Join(appFolder(r.owner(), r.App), r.Version+".json")
}

// appFolder returns the folder of the records of an app. The names must have been checked.
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

// toDamagedRecord returns the report that a file of the record cannot be served.
func (r *record) toDamagedRecord(file string, err error) DamagedRecord {
	return DamagedRecord{Owner: r.owner(), App: r.App, Version: r.Version, Path: file, Err: err}
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// encode returns the record as it is stored. The same record results in the same bytes.
func (r *record) encode() ([]byte, error) {
	inner, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(envelope{Digest: digestOf(inner), Record: inner})
	return append(data, '\n'), err
}

// decodeRecord parses a record and sets the derived fields. It returns an error if the record
// is altered or belongs to another path.
func decodeRecord(file string, data []byte) (*record, error) {
	var outer envelope
	if err := json.Unmarshal(data, &outer); err != nil {
		return nil, fmt.Errorf("decode record: %w", err)
	}
	if digestOf(outer.Record) != outer.Digest {
		return nil, errors.New("decode record: content does not match its digest")
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
		return nil, fmt.Errorf("decode record: expected at path %q", r.path())
	}
	return r, r.setDerivedFields()
}

// validateFields returns an error if a field must not become part of a path, a URL or an
// index.
func (r *record) validateFields() error {
	switch {
	case r.Format != recordFormat:
		return fmt.Errorf("format %d is not supported", r.Format)
	case !namePattern.MatchString(r.Namespace):
		return fmt.Errorf("namespace %q is not a valid name", r.Namespace)
	case !namePattern.MatchString(r.Source):
		return fmt.Errorf("source %q is not a valid name", r.Source)
	case !namePattern.MatchString(r.App):
		return fmt.Errorf("app %q is not a valid name", r.App)
	case !versionPattern.MatchString(r.Version):
		return fmt.Errorf("version %q is not a valid version", r.Version)
	}
	for _, b := range r.blobs() {
		if !digestPattern.MatchString(b.Digest) || b.Size < 0 {
			return fmt.Errorf("digest %q is not a SHA-256 digest", b.Digest)
		}
	}
	return nil
}

// setDerivedFields sets the fields that are not stored, and clears Chart.
func (r *record) setDerivedFields() (err error) {
	if r.semver, err = semver.NewVersion(r.Version); err != nil {
		return fmt.Errorf("version %q is not a semantic version: %w", r.Version, err)
	}
	if r.entry, err = renderEntry(r); err != nil {
		return err
	}
	r.Chart = nil
	r.etag = []string{`"` + r.Archive.Digest + `"`}
	r.length = []string{fmt.Sprint(r.Archive.Size)}
	return nil
}

// compareNewestFirst sorts the versions of an app, newest first.
func compareNewestFirst(a, b *record) int {
	if c := b.semver.Compare(a.semver); c != 0 {
		return c
	}
	return strings.Compare(b.Version, a.Version)
}
