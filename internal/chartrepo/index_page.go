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

// page is a text made once and served many times, with its header values.
type cachedIndex struct {
	// generation is that of the table or part that the page was made from.
	generation uint64
	plain      encodedIndex
	// packed is the page compressed, made when first asked for.
	gzipped func() encodedIndex
}

// form is one encoding of a page.
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

// compress packs a text; the same text gives the same bytes.
func gzipText(text []byte) []byte {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	// A bytes.Buffer does not fail.
	_, _ = w.Write(text)
	_ = w.Close()
	return packed.Bytes()
}

// index is the page of one owner, nil if nothing is published there. It is made
// anew after a change, by the first who asks.
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
	// A change between the two lines makes the page newer than it says, and it is
	// made once more.
	made := newCachedIndex(generation, renderIndex(t.recordsOf(owner), appName, archivePath))
	p.cached.Store(made)
	return made
}

// indexPage writes an index.yaml: entries by name, their versions newest first. Records
// of different owners must have different names. The time of the index is that of its
// newest record, so that the same records give the same bytes. The URL of an archive is
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

// appName is the name of a record in the index of its owner.
func appName(r *record) string { return r.App }

// archivePath is where the archive of a record is below the path of its source.
func archivePath(r *record) string { return "charts/" + r.fileName() }

// indexEntry is the entry of a record, indented as the index has it, without the
// URL, which depends on the index. Helm writes digests in hex alone.
func renderEntry(r *record) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(r.Chart, &fields); err != nil {
		return nil, fmt.Errorf("decode chart: %w", err)
	}
	if fields == nil {
		return nil, errors.New("decode chart: it is null")
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
