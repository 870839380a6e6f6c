package storage

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/release"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	plain "github.com/appmarket/operator/internal/release"
)

const (
	// maxRecordBytes bounds the record of a release in the encoding of Helm. The record of a chart
	// with the maximum size of hydration fits.
	maxRecordBytes = 32 << 20
	// recordSlack is the size by which a record may grow after it was created, so that an operation
	// that could be started can also be completed.
	recordSlack = 1 << 20
	// chunkBytes is the size of a chunk. A Secret is limited to core.MaxSecretSize.
	chunkBytes = 900 << 10
	maxChunks  = (maxRecordBytes+recordSlack)/chunkBytes + 1
)

// Keys in the Secrets of records. Helm defines recordKey, AppMarket the other keys. In a head,
// recordKey contains a stand-in instead of the record; see placeholderSecret.
const (
	recordKey = "release"
	headKey   = "chunks" // names of the chunks, one per line
	digestKey = "digest" // SHA-256 digest of the whole record, in hex
	chunkKey  = "chunk"
	// chunkInfix separates the name of a record from the digest of a chunk.
	chunkInfix = ".chunk-"
)

// Labels by which Helm finds the records of a release. The owner of the head and the chunks of a
// large record is "appmarket", because the helm command cannot decode them and expects every Secret
// with the owner "helm" to be a readable record.
const (
	ownerLabel = "owner"
	nameLabel  = "name"
	helmOwner  = "helm"
	ourOwner   = plain.LargeRecordOwner
)

// chunkedSecrets is a client for the Secrets of a namespace that stores records larger than a Secret for
// the driver of Helm. A record that fits into one Secret is not changed. The text of a larger
// record is split into chunks: immutable Secrets that are named after the digest of their content.
// The Secret with the name of the record, the head, lists the chunks. It is written last and
// deleted first, so that a record is either complete or does not exist. Chunks that no head lists
// remain after a write that was interrupted or replaced, and are deleted after the next write.
//
// A chunked client serves one operation, and caches what it has read for the duration of the
// operation.
type chunkedSecrets struct {
	corev1.SecretInterface
	sizes ChunkSizes
	// heads contains the records that were read or written, by name.
	heads map[string]recordHead
	// chunks maps the names of chunks to the names of their records.
	chunks map[string]string
}

type recordHead struct {
	version string
	chunks  []string
	// verified reports that this version does not exceed the bounds when it is unpacked.
	verified bool
	// size is the weight of this version, or zero if this client wrote it.
	size decodedSize
}

// DefaultChunkSizes are the sizes that the limits of Secrets require.
var DefaultChunkSizes = ChunkSizes{Whole: core.MaxSecretSize, Chunk: chunkBytes}

// ChunkSizes specifies the maximum size in bytes of a record that is stored in one Secret, and the
// size of a chunk.
type ChunkSizes struct{ Whole, Chunk int }

func newChunkedSecrets(secrets corev1.SecretInterface, sizes ChunkSizes) *chunkedSecrets {
	return &chunkedSecrets{SecretInterface: secrets, sizes: sizes, heads: map[string]recordHead{}, chunks: map[string]string{}}
}

// recordTooLargeError is the error for a record that is larger than maxRecordBytes.
type recordTooLargeError struct{ bytes int }

func (t *recordTooLargeError) Error() string {
	return fmt.Sprintf("the record of the release needs %d MiB, at most %d MiB are allowed: reduce the chart or the values",
		(t.bytes+1<<20-1)>>20, maxRecordBytes>>20)
}

// Create writes a new record.
func (c *chunkedSecrets) Create(ctx context.Context, record *core.Secret, how metav1.CreateOptions) (*core.Secret, error) {
	head, err := c.splitRecord(ctx, record, maxRecordBytes)
	if err != nil {
		return nil, err
	}
	written, err := c.SecretInterface.Create(ctx, head, how)
	return written, c.recordWrite(ctx, record.Name, written, err)
}

// Update overwrites a record. The update of a large record fails if another client has changed the
// record since it was read, because chunks that its head does not list may be deleted.
func (c *chunkedSecrets) Update(ctx context.Context, record *core.Secret, how metav1.UpdateOptions) (*core.Secret, error) {
	head, err := c.splitRecord(ctx, record, maxRecordBytes+recordSlack)
	if err != nil {
		return nil, err
	}
	if seen := c.heads[record.Name]; len(seen.chunks) > 0 || head != record {
		head.ResourceVersion = seen.version
	}
	written, err := c.SecretInterface.Update(ctx, head, how)
	return written, c.recordWrite(ctx, record.Name, written, err)
}

// Delete deletes a record.
func (c *chunkedSecrets) Delete(ctx context.Context, name string, how metav1.DeleteOptions) error {
	if err := c.SecretInterface.Delete(ctx, name, how); err != nil {
		return err
	}
	delete(c.heads, name)
	return c.deleteUnusedChunks(ctx)
}

// splitRecord returns the Secret to write under the name of the record: the record itself if it fits, or
// the head after it has written the chunks.
func (c *chunkedSecrets) splitRecord(ctx context.Context, record *core.Secret, limit int) (*core.Secret, error) {
	text := record.Data[recordKey]
	if len(text) <= c.sizes.Whole {
		return record, nil
	}
	if len(text) > limit {
		return nil, &recordTooLargeError{bytes: len(text)}
	}
	var names []string
	for part := range slices.Chunk(text, c.sizes.Chunk) {
		name := record.Name + chunkInfix + digestOf(part)[:32]
		if err := c.writeChunk(ctx, record, name, part); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	instead, err := placeholderSecret(record)
	if err != nil {
		return nil, err
	}
	head := record.DeepCopy()
	head.Labels[ownerLabel] = ourOwner
	head.Data = map[string][]byte{
		headKey: []byte(strings.Join(names, "\n")), digestKey: []byte(digestOf(text)), recordKey: instead,
	}
	return head, nil
}

// placeholderSecret returns a minimal record for the helm command to read in a head. The helm command does
// not list heads, but without a stand-in it crashes when that revision is requested explicitly.
func placeholderSecret(record *core.Secret) ([]byte, error) {
	revision, err := strconv.Atoi(record.Labels["version"])
	if err != nil {
		return nil, fmt.Errorf("read revision of record %s: %w", record.Name, err)
	}
	text, err := json.Marshal(release.Release{
		Name: record.Labels[nameLabel], Version: revision, Chart: &chart.Chart{Metadata: &chart.Metadata{}},
		Info: &release.Info{
			Status:      release.Status(record.Labels["status"]),
			Description: "The record of this revision is kept in several Secrets, which AppMarket reads",
		},
	})
	if err != nil {
		return nil, fmt.Errorf("encode head of record %s: %w", record.Name, err)
	}
	return base64.StdEncoding.AppendEncode(nil, text), nil
}

func (c *chunkedSecrets) writeChunk(ctx context.Context, record *core.Secret, name string, part []byte) error {
	unchanging := true
	_, err := c.SecretInterface.Create(ctx, &core.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:   name,
			Labels: map[string]string{ownerLabel: ourOwner, nameLabel: record.Labels[nameLabel]},
		},
		Type:      record.Type,
		Immutable: &unchanging,
		Data:      map[string][]byte{chunkKey: part},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	c.chunks[name] = record.Name
	return nil
}

// recordWrite stores the result of a write and deletes unused chunks. After a failed write it is
// unknown which chunks the head lists, so all chunks of the record are left for the next operation.
func (c *chunkedSecrets) recordWrite(ctx context.Context, name string, head *core.Secret, err error) error {
	if err != nil {
		delete(c.heads, name)
		maps.DeleteFunc(c.chunks, func(_, record string) bool { return record == name })
		return err
	}
	c.trackSecret(head)
	c.markVerified(name, decodedSize{})
	return c.deleteUnusedChunks(ctx)
}

// trackSecret stores the version and the chunks of a Secret that was read or written.
func (c *chunkedSecrets) trackSecret(secret *core.Secret) {
	if record, ok := recordOfChunk(secret); ok {
		c.chunks[secret.Name] = record
		return
	}
	before := c.heads[secret.Name]
	head := recordHead{version: secret.ResourceVersion}
	if before.version == secret.ResourceVersion {
		head.verified, head.size = before.verified, before.size
	}
	if names, ok := secret.Data[headKey]; ok {
		head.chunks = strings.Split(string(names), "\n")
	}
	c.heads[secret.Name] = head
}

// markVerified marks a record as within the bounds when it is unpacked.
func (c *chunkedSecrets) markVerified(name string, found decodedSize) {
	head := c.heads[name]
	head.verified, head.size = true, found
	c.heads[name] = head
}

// deleteUnusedChunks deletes the known chunks that no record lists.
func (c *chunkedSecrets) deleteUnusedChunks(ctx context.Context) error {
	for name, record := range c.chunks {
		if slices.Contains(c.heads[record].chunks, name) {
			continue
		}
		err := c.SecretInterface.Delete(ctx, name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete unused part of record %s: %w", record, err)
		}
		delete(c.chunks, name)
	}
	return nil
}

// recordOfChunk returns the name of the record to which a Secret belongs, or false if the Secret is not a
// chunk.
func recordOfChunk(secret *core.Secret) (string, bool) {
	if _, ok := secret.Data[chunkKey]; !ok || secret.Labels[ownerLabel] != ourOwner {
		return "", false
	}
	return recordOfChunkName(secret.Name)
}

// recordOfChunkName returns the name of the record from the name of a chunk.
func recordOfChunkName(chunk string) (string, bool) {
	at := strings.LastIndex(chunk, chunkInfix)
	if at < 0 {
		return "", false
	}
	return chunk[:at], true
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
