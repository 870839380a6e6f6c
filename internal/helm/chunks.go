package helm

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
	// maxRecordBytes bounds the record of a release, as Helm encodes it. A chart of
	// the greatest size that is hydrated has room in it.
	maxRecordBytes = 32 << 20
	// recordSlack is what a record may grow by afterwards, so that what could be
	// begun can also be ended.
	recordSlack = 1 << 20
	// chunkBytes is the size of a chunk; a Secret may have core.MaxSecretSize.
	chunkBytes = 900 << 10
	maxChunks  = (maxRecordBytes+recordSlack)/chunkBytes + 1
)

// What Secrets of records hold: recordKey is Helm's, the others are ours. A head
// has something else instead of the record there; see standIn.
const (
	recordKey = "release"
	headKey   = "chunks" // names of the chunks, one a line
	digestKey = "digest" // sha256 of the whole, in hex
	chunkKey  = "chunk"
	// chunkInfix is between the name of a record and the digest of a chunk.
	chunkInfix = ".chunk-"
)

// Labels by which Helm finds the records of a release. The head and the chunks of a
// large record are owned by "appmarket": the helm command takes what "helm" owns
// for a record that it can read, and would stumble over them.
const (
	ownerLabel = "owner"
	nameLabel  = "name"
	helmOwner  = "helm"
	ourOwner   = plain.LargeRecordOwner
)

// chunked is the way to the Secrets of a namespace for Helm's own driver, which
// may be given records larger than a Secret can be. A record that fits is left as
// Helm has made it. Of a larger one the text is cut into chunks, Secrets that are
// named after their content and never change; the Secret that bears the name of
// the record lists them. That head is written last and deleted first, so that a
// record is whole or not there. Chunks that no head lists, left over by a write
// that was cut off or replaced, are deleted after the next write.
//
// It serves one operation: what it has seen counts until then.
type chunked struct {
	corev1.SecretInterface
	sizes chunkSizes
	// heads are the records seen, by name.
	heads map[string]recordHead
	// chunks are the chunks seen, and the records that they belong to.
	chunks map[string]string
}

type recordHead struct {
	version string
	chunks  []string
	// sound says that this version does not unpack to too much.
	sound bool
	// weight is what decoding this version takes, nothing if we wrote it ourselves.
	weight weight
}

// chunkSizes are the bytes up to which a record is left in one piece, and those of
// a chunk.
type chunkSizes struct{ whole, chunk int }

func newChunked(secrets corev1.SecretInterface, sizes chunkSizes) *chunked {
	return &chunked{SecretInterface: secrets, sizes: sizes, heads: map[string]recordHead{}, chunks: map[string]string{}}
}

// tooLarge is the error over a record that is larger than maxRecordBytes.
type tooLarge struct{ bytes int }

func (t *tooLarge) Error() string {
	return fmt.Sprintf("the record of the release would have %d MiB and may have %d: chart and values must be smaller",
		(t.bytes+1<<20-1)>>20, maxRecordBytes>>20)
}

// Create writes a record that is not there yet.
func (c *chunked) Create(ctx context.Context, record *core.Secret, how metav1.CreateOptions) (*core.Secret, error) {
	head, err := c.split(ctx, record, maxRecordBytes)
	if err != nil {
		return nil, err
	}
	written, err := c.SecretInterface.Create(ctx, head, how)
	return written, c.written(ctx, record.Name, written, err)
}

// Update writes a record anew. A large one is not written over what somebody else
// has written since: chunks that its head does not list may be deleted.
func (c *chunked) Update(ctx context.Context, record *core.Secret, how metav1.UpdateOptions) (*core.Secret, error) {
	head, err := c.split(ctx, record, maxRecordBytes+recordSlack)
	if err != nil {
		return nil, err
	}
	if seen := c.heads[record.Name]; len(seen.chunks) > 0 || head != record {
		head.ResourceVersion = seen.version
	}
	written, err := c.SecretInterface.Update(ctx, head, how)
	return written, c.written(ctx, record.Name, written, err)
}

// Delete deletes a record.
func (c *chunked) Delete(ctx context.Context, name string, how metav1.DeleteOptions) error {
	if err := c.SecretInterface.Delete(ctx, name, how); err != nil {
		return err
	}
	delete(c.heads, name)
	return c.sweep(ctx)
}

// split gives what is to be written under the name of the record: the record
// itself if it fits, otherwise the head, after the chunks were written.
func (c *chunked) split(ctx context.Context, record *core.Secret, limit int) (*core.Secret, error) {
	text := record.Data[recordKey]
	if len(text) <= c.sizes.whole {
		return record, nil
	}
	if len(text) > limit {
		return nil, &tooLarge{bytes: len(text)}
	}
	var names []string
	for part := range slices.Chunk(text, c.sizes.chunk) {
		name := record.Name + chunkInfix + digest(part)[:32]
		if err := c.writeChunk(ctx, record, name, part); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	instead, err := standIn(record)
	if err != nil {
		return nil, err
	}
	head := record.DeepCopy()
	head.Labels[ownerLabel] = ourOwner
	head.Data = map[string][]byte{
		headKey: []byte(strings.Join(names, "\n")), digestKey: []byte(digest(text)), recordKey: instead,
	}
	return head, nil
}

// standIn is what the helm command reads in a head. It does not come upon one by
// itself, but crashes over one without it when it is asked for that very revision.
func standIn(record *core.Secret) ([]byte, error) {
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

func (c *chunked) writeChunk(ctx context.Context, record *core.Secret, name string, part []byte) error {
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

// written takes note of a write, and deletes what nobody needs any more. After one
// that failed nobody knows which chunks are listed, so all that belong to the
// record are left for the next operation to find.
func (c *chunked) written(ctx context.Context, name string, head *core.Secret, err error) error {
	if err != nil {
		delete(c.heads, name)
		maps.DeleteFunc(c.chunks, func(_, record string) bool { return record == name })
		return err
	}
	c.see(head)
	c.vouch(name, weight{})
	return c.sweep(ctx)
}

// see takes note of a Secret.
func (c *chunked) see(secret *core.Secret) {
	if record, ok := chunkOf(secret); ok {
		c.chunks[secret.Name] = record
		return
	}
	before := c.heads[secret.Name]
	head := recordHead{version: secret.ResourceVersion}
	if before.version == secret.ResourceVersion {
		head.sound, head.weight = before.sound, before.weight
	}
	if names, ok := secret.Data[headKey]; ok {
		head.chunks = strings.Split(string(names), "\n")
	}
	c.heads[secret.Name] = head
}

// vouch notes that a record does not unpack to too much.
func (c *chunked) vouch(name string, found weight) {
	head := c.heads[name]
	head.sound, head.weight = true, found
	c.heads[name] = head
}

// sweep deletes the chunks seen that no record lists.
func (c *chunked) sweep(ctx context.Context) error {
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

// chunkOf is the name of the record that a chunk belongs to, if it is one.
func chunkOf(secret *core.Secret) (string, bool) {
	if _, ok := secret.Data[chunkKey]; !ok || secret.Labels[ownerLabel] != ourOwner {
		return "", false
	}
	return recordOf(secret.Name)
}

// recordOf is the name of the record that a chunk is named after.
func recordOf(chunk string) (string, bool) {
	at := strings.LastIndex(chunk, chunkInfix)
	if at < 0 {
		return "", false
	}
	return chunk[:at], true
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
