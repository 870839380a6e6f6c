package storage

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// maxInflatedBytes bounds the size of an unpacked record: the files of a chart, which grow by a
	// third when they are encoded, and the rendered documents. A tenant can write records, and a
	// few kilobytes can unpack to gigabytes.
	maxInflatedBytes = 2*chart.MaxUnpackedBytes + 2*chart.MaxRenderedBytes
	// maxTokens bounds the number of braces, brackets and commas that a record contains outside of
	// strings: "{}," has three bytes, and takes some hundred bytes once it is decoded.
	maxTokens = 1_000_000
	// maxStored and maxStoredBytes bound the number and the size of the Secrets that are read for
	// one release. recordsPerPage is the page size of these lists. Helm keeps ten revisions; the
	// record of a large one takes 40 Secrets and 32 MiB.
	maxStored      = 500
	maxStoredBytes = 128 << 20
	recordsPerPage = 20
	// maxListed is the factor by which the records of one list may together exceed the bounds of a
	// single record, since all of them are in memory at the same time.
	maxListed = 2
)

// decodedSize measures the memory that is needed to decode one or several records.
type decodedSize struct{ bytes, tokens int64 }

func (w decodedSize) addSize(other decodedSize) decodedSize {
	return decodedSize{bytes: w.bytes + other.bytes, tokens: w.tokens + other.tokens}
}

// checkBounds returns an error if the weight exceeds the bounds of a single record multiplied by times.
func (w decodedSize) checkBounds(times int64) error {
	switch {
	case w.bytes > times*maxInflatedBytes:
		return fmt.Errorf("unpacked size exceeds %d MiB", times*maxInflatedBytes>>20)
	case w.tokens > times*maxTokens:
		return fmt.Errorf("more than %d values", times*maxTokens)
	}
	return nil
}

// Get returns a complete record.
func (c *chunkedSecrets) Get(ctx context.Context, name string, how metav1.GetOptions) (*core.Secret, error) {
	record, err := c.SecretInterface.Get(ctx, name, how)
	if err != nil {
		return nil, err
	}
	c.trackSecret(record)
	return record, c.assembleRecord(ctx, record, nil)
}

// List returns the complete records that match a selector of Helm. If the selector contains no
// status, the list also includes the chunks, which have no status label.
func (c *chunkedSecrets) List(ctx context.Context, how metav1.ListOptions) (*core.SecretList, error) {
	selector, err := withOwnerLabel(how.LabelSelector)
	if err != nil {
		return nil, err
	}
	how.LabelSelector = selector
	list, err := c.listPages(ctx, how)
	if err != nil {
		return nil, err
	}
	var records []core.Secret
	atHand := map[string][]byte{}
	for _, secret := range list.Items {
		c.trackSecret(&secret)
		if _, ok := recordOfChunk(&secret); ok {
			atHand[secret.Name] = secret.Data[chunkKey]
		} else {
			records = append(records, secret)
		}
	}
	var all decodedSize
	for i := range records {
		if err := c.assembleRecord(ctx, &records[i], atHand); err != nil {
			return nil, err
		}
		all = all.addSize(c.heads[records[i].Name].size)
		if err := all.checkBounds(maxListed); err != nil {
			return nil, outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("read record %s and earlier records: %w", records[i].Name, err))
		}
	}
	list.Items = records
	return list, nil
}

// listPages lists Secrets page by page, and stops with an error if their number or size exceeds the
// bounds for one release: a tenant that may write Secrets can create any number of them.
func (c *chunkedSecrets) listPages(ctx context.Context, how metav1.ListOptions) (*core.SecretList, error) {
	how.Limit = recordsPerPage
	all, total := &core.SecretList{}, 0
	for {
		page, err := c.SecretInterface.List(ctx, how)
		if err != nil {
			return nil, err
		}
		for _, secret := range page.Items {
			for _, text := range secret.Data {
				total += len(text)
			}
		}
		all.Items = append(all.Items, page.Items...)
		if total > maxStoredBytes || len(all.Items) > maxStored {
			return nil, outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf(
				"the records of the release exceed %d Secrets or %d MiB: delete the oldest records, which \"kubectl get secrets -l '%s'\" lists",
				maxStored, maxStoredBytes>>20, how.LabelSelector))
		}
		if how.Continue = page.Continue; how.Continue == "" {
			all.ListMeta = page.ListMeta
			return all, nil
		}
	}
}

// withOwnerLabel extends a selector for Secrets that Helm owns to Secrets that AppMarket owns.
func withOwnerLabel(selector string) (string, error) {
	wanted, err := labels.ConvertSelectorToLabelsMap(selector)
	if err != nil {
		return "", fmt.Errorf("read selector of records: %w", err)
	}
	if wanted[ownerLabel] != helmOwner {
		return selector, nil
	}
	delete(wanted, ownerLabel)
	either, err := labels.NewRequirement(ownerLabel, selection.In, []string{helmOwner, ourOwner})
	if err != nil {
		return "", fmt.Errorf("make selector of records: %w", err)
	}
	return wanted.AsSelector().Add(*either).String(), nil
}

// assembleRecord assembles a record so that the driver of Helm can read it, and checks its bounds.
func (c *chunkedSecrets) assembleRecord(ctx context.Context, record *core.Secret, atHand map[string][]byte) error {
	if _, ok := record.Data[headKey]; ok && record.Labels[ownerLabel] == ourOwner {
		if err := c.joinChunks(ctx, record, atHand); err != nil {
			return fmt.Errorf("read record %s: %w", record.Name, err)
		}
	}
	if c.heads[record.Name].verified {
		return nil
	}
	found := measureDecoded(record.Data[recordKey])
	if err := found.checkBounds(1); err != nil {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("read record %s: %w", record.Name, err))
	}
	c.markVerified(record.Name, found)
	return nil
}

// joinChunks assembles a large record from its chunks, which it reads from atHand or from the cluster. An
// incomplete record is an error: if the revision were skipped, it would appear never to have
// existed.
func (c *chunkedSecrets) joinChunks(ctx context.Context, record *core.Secret, atHand map[string][]byte) error {
	names := strings.Split(string(record.Data[headKey]), "\n")
	if len(names) > maxChunks {
		return fmt.Errorf("%d chunks: at most %d are allowed", len(names), maxChunks)
	}
	var text bytes.Buffer
	for _, name := range names {
		if of, ok := recordOfChunkName(name); !ok || of != record.Name {
			return fmt.Errorf("Secret %q is not a chunk of the record", name)
		}
		part, ok := atHand[name]
		if !ok {
			chunk, err := c.SecretInterface.Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			part = chunk.Data[chunkKey]
		}
		text.Write(part)
	}
	if digestOf(text.Bytes()) != string(record.Data[digestKey]) {
		return errors.New("the digest of the chunks does not match: delete the Secret to continue with the earlier revision")
	}
	record.Data = map[string][]byte{recordKey: text.Bytes()}
	record.Labels[ownerLabel] = helmOwner
	return nil
}

// measureDecoded unpacks a record up to the bounds and returns its weight. A record that cannot be unpacked
// has no weight, because Helm skips it. Helm reads a record that is not compressed as it is.
func measureDecoded(text []byte) decodedSize {
	plain := bufio.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(text)))
	var from io.Reader = plain
	if magic, err := plain.Peek(len(gzipMagic)); err == nil && string(magic) == gzipMagic {
		if from, err = gzip.NewReader(plain); err != nil {
			return decodedSize{}
		}
	}
	var on sizeCounter
	// The error is irrelevant: everything before it has been weighed.
	_, _ = io.Copy(&on, io.LimitReader(from, maxInflatedBytes+1))
	return on.decodedSize
}

// gzipMagic is the prefix by which Helm recognizes a compressed record.
const gzipMagic = "\x1f\x8b\x08"

// sizeCounter weighs the JSON that is written to it, and returns an error when a bound is exceeded.
type sizeCounter struct {
	decodedSize
	// quoted reports that the current position is inside a string, and escaped that the previous
	// character was a backslash.
	quoted, escaped bool
}

func (s *sizeCounter) Write(text []byte) (int, error) {
	s.bytes += int64(len(text))
	for _, char := range text {
		switch {
		case s.escaped:
			s.escaped = false
		case char == '"':
			s.quoted = !s.quoted
		case s.quoted:
			s.escaped = char == '\\'
		case char == '{' || char == '[' || char == ',':
			s.tokens++
		}
	}
	return len(text), s.checkBounds(1)
}
