package helm

import (
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
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// maxInflatedBytes bounds what a record is once it is unpacked: files of a
	// chart, which grow by a third, and what they were rendered to. Records are in
	// the hands of the tenant, and a few kilobytes can unpack to gigabytes.
	maxInflatedBytes = 2*hydrate.MaxUnpackedBytes + 2*hydrate.MaxRenderedBytes
	// maxInflation is how much smaller than its content gzip can be.
	maxInflation = 1032
)

// Get reads a record.
func (c *chunked) Get(ctx context.Context, name string, how metav1.GetOptions) (*core.Secret, error) {
	record, err := c.SecretInterface.Get(ctx, name, how)
	if err != nil {
		return nil, err
	}
	c.see(record)
	return record, c.complete(ctx, record, nil)
}

// List reads the records that a selector of Helm's asks for. One without a status
// finds the chunks too, which have none, in the same answer.
func (c *chunked) List(ctx context.Context, how metav1.ListOptions) (*core.SecretList, error) {
	selector, err := ownedByUsToo(how.LabelSelector)
	if err != nil {
		return nil, err
	}
	how.LabelSelector = selector
	list, err := c.SecretInterface.List(ctx, how)
	if err != nil {
		return nil, err
	}
	var records []core.Secret
	atHand := map[string][]byte{}
	for _, secret := range list.Items {
		c.see(&secret)
		if _, ok := chunkOf(&secret); ok {
			atHand[secret.Name] = secret.Data[chunkKey]
		} else {
			records = append(records, secret)
		}
	}
	for i := range records {
		if err := c.complete(ctx, &records[i], atHand); err != nil {
			return nil, err
		}
	}
	list.Items = records
	return list, nil
}

// ownedByUsToo widens a selector for what Helm owns by what we own.
func ownedByUsToo(selector string) (string, error) {
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

// complete makes a record of what was read, as Helm's driver expects it.
func (c *chunked) complete(ctx context.Context, record *core.Secret, atHand map[string][]byte) error {
	if _, ok := record.Data[headKey]; ok && record.Labels[ownerLabel] == ourOwner {
		if err := c.join(ctx, record, atHand); err != nil {
			return fmt.Errorf("read record %s: %w", record.Name, err)
		}
	}
	if !c.heads[record.Name].sound && inflatesTooMuch(record.Data[recordKey]) {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf(
			"read record %s: it unpacks to more than %d MiB", record.Name, maxInflatedBytes>>20))
	}
	c.vouch(record.Name)
	return nil
}

// join puts a large record together again, of chunks at hand or fetched. Where it
// is not whole, that is an error: a revision that is overlooked would be taken for
// one that never was.
func (c *chunked) join(ctx context.Context, record *core.Secret, atHand map[string][]byte) error {
	names := strings.Split(string(record.Data[headKey]), "\n")
	if len(names) > maxChunks {
		return fmt.Errorf("it has %d parts, at most %d are allowed", len(names), maxChunks)
	}
	var text bytes.Buffer
	for _, name := range names {
		if of, ok := recordOf(name); !ok || of != record.Name {
			return fmt.Errorf("%q is no part of it", name)
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
	if digest(text.Bytes()) != string(record.Data[digestKey]) {
		return errors.New("its parts are not what was written")
	}
	record.Data = map[string][]byte{recordKey: text.Bytes()}
	record.Labels[ownerLabel] = helmOwner
	return nil
}

// inflatesTooMuch reports whether a record is larger than maxInflatedBytes when it
// is unpacked. One that cannot be unpacked is for Helm to pass over.
func inflatesTooMuch(text []byte) bool {
	if len(text) <= maxInflatedBytes/maxInflation {
		return false
	}
	packed, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(text)))
	if err != nil {
		return false
	}
	size, err := io.Copy(io.Discard, io.LimitReader(packed, maxInflatedBytes+1))
	return err == nil && size > maxInflatedBytes
}
