package chartrepo

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/hydrate"
)

// cachedIndex is an index.yaml that is rendered once and served many times, with its headers.
type cachedIndex struct {
	// generation is the generation of the index or source that was rendered.
	generation uint64
	plain      encodedIndex
	// gzipped returns the compressed index, which is made on first use.
	gzipped func() encodedIndex
}

// encodedIndex is one encoding of an index.yaml.
type encodedIndex struct {
	body         []byte
	etag, length []string
}

func newCachedIndex(generation uint64, body []byte) *cachedIndex {
	tag := digestOf(body)
	return &cachedIndex{
		generation: generation,
		plain:      newEncodedIndex(body, tag),
		gzipped:    sync.OnceValue(func() encodedIndex { return newEncodedIndex(gzipText(body), tag+"-gzip") }),
	}
}

func newEncodedIndex(body []byte, tag string) encodedIndex {
	return encodedIndex{body: body, etag: []string{`"` + tag + `"`}, length: []string{strconv.Itoa(len(body))}}
}

// gzipText compresses a text. The same text results in the same bytes.
func gzipText(text []byte) []byte {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	// A bytes.Buffer does not fail.
	_, _ = w.Write(text)
	_ = w.Close()
	return packed.Bytes()
}

// indexOf returns the index.yaml of one owner, or nil if nothing is published. After a
// change, the first request renders it again.
func (t *memoryIndex) indexOf(owner hydrate.Owner) *cachedIndex {
	p, generation := t.sourceIndexOf(owner)
	if p == nil {
		return nil
	}
	if done := p.cached.Load(); done != nil && done.generation == generation {
		return done
	}
	p.rendering.Lock()
	defer p.rendering.Unlock()
	_, generation = t.sourceIndexOf(owner)
	if done := p.cached.Load(); done != nil && done.generation >= generation {
		return done
	}
	// A change between the two lines makes the content newer than its generation, so that it
	// is rendered once more.
	made := newCachedIndex(generation, renderIndex(t.indexedRecordsOf(owner), appName, archivePath))
	p.cached.Store(made)
	return made
}

// renderIndex returns an index.yaml: entries by name, with the newest version first. Records
// of different owners must have different names. The time of the index is the time of its
// newest record, so that the same records result in the same bytes. URLs of archives are
// relative to the index.
func renderIndex(records []*record, name, url func(*record) string) []byte {
	names := make(map[*record]string, len(records))
	for _, r := range records {
		names[r] = name(r)
	}
	slices.SortFunc(records, func(a, b *record) int { return cmp.Or(cmp.Compare(names[a], names[b]), compareNewestFirst(a, b)) })
	var generated time.Time
	var page bytes.Buffer
	page.WriteString("apiVersion: v1\nentries:")
	if len(records) == 0 {
		page.WriteString(" {}")
	}
	page.WriteByte('\n')
	entry := ""
	for _, r := range records {
		if names[r] != entry {
			entry = names[r]
			fmt.Fprintf(&page, "  %s:\n", strconv.Quote(entry))
		}
		page.Write(r.entry)
		fmt.Fprintf(&page, "    urls:\n    - %s\n", strconv.Quote(url(r)))
		if r.Created.After(generated) {
			generated = r.Created
		}
	}
	fmt.Fprintf(&page, "generated: %q\n", generated.Format(time.RFC3339))
	return page.Bytes()
}

// appName returns the name of a record in the index of its owner.
func appName(r *record) string { return r.App }

// archivePath returns the path of an archive below the path of its source.
func archivePath(r *record) string { return "charts/" + r.fileName() }

// renderEntry returns the entry of a record, indented for the index, without the URL, which
// depends on the index. Helm writes digests without algorithm.
func renderEntry(r *record) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(r.Chart, &fields); err != nil {
		return nil, fmt.Errorf("decode chart: %w", err)
	}
	if fields == nil {
		return nil, errors.New("decode chart: metadata is null")
	}
	delete(fields, "urls")
	fields["digest"] = json.RawMessage(strconv.Quote(strings.TrimPrefix(r.Archive.Digest, "sha256:")))
	fields["created"] = json.RawMessage(strconv.Quote(r.Created.Format(time.RFC3339)))
	ordered, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("encode chart: %w", err)
	}
	text, err := yaml.JSONToYAML(ordered)
	if err != nil {
		return nil, fmt.Errorf("encode chart: %w", err)
	}
	entry := make([]byte, 0, len(text)+len(text)/8)
	indent := "  - "
	for line := range bytes.Lines(text) {
		if len(line) > 1 {
			entry = append(entry, indent...)
			indent = "    "
		}
		entry = append(entry, line...)
	}
	return slices.Clip(entry), nil
}
