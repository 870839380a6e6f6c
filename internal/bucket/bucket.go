// Package bucket stores the files of a chart store in a bucket of an S3-compatible service.
//
// A file is an object, and is written with one request, so that readers get either the old or the
// new content. The service must be consistent: what was written is read and listed immediately, as
// Amazon S3 guarantees.
//
// Each request has a limit for its time, its attempts and the size of its response. Errors contain
// neither credentials nor texts of the service, other than its error code.
package bucket

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/minio/minio-go/v7"

	"github.com/appmarket/operator/internal/chartrepo"
)

const (
	// requestTimeout is the time limit of a request without content, with all its attempts.
	requestTimeout = 30 * time.Second
	// transferTimeout is the time limit for writing or reading a file, and for a list.
	transferTimeout = 10 * time.Minute
	// maxAttempts is the number of attempts of a request.
	maxAttempts = 3
	// maxListed is the maximum number of objects of a list, which are described in memory.
	maxListed = 1_000_000
	// spaceCheck is the name of the object that CheckSpace writes.
	spaceCheck = "space-check"
)

// Bucket is a Storage in a bucket. It is safe for concurrent use.
type Bucket struct {
	client *minio.Client
	// writer is the client of a process that may write.
	writer *minio.Client
	name   string
	// prefix is empty or ends with a slash.
	prefix string
	// maxListed is the maximum number of objects of a list.
	maxListed int
	close     func()
	// last is the result of the last request.
	last atomic.Pointer[error]
}

var _ chartrepo.Storage = (*Bucket)(nil)

// Close closes idle connections.
func (b *Bucket) Close() error {
	b.close()
	return nil
}

// Prepare does nothing: a bucket has no folders.
func (b *Bucket) Prepare() error { return nil }

// Check returns the error of the last request.
func (b *Bucket) Check() error {
	if last := b.last.Load(); last != nil {
		return *last
	}
	return nil
}

// recordResult records the result of a request for Check, and returns it as an error of this
// package.
func (b *Bucket) recordResult(err error) error {
	err = toError(err)
	state := err
	if !errors.Is(err, chartrepo.ErrUnavailable) {
		state = nil
	}
	b.last.Store(&state)
	return err
}

// Stat returns the current version of a file.
func (b *Bucket) Stat(name string) (chartrepo.FileInfo, error) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	object, err := b.client.StatObject(ctx, b.name, b.prefix+name, minio.StatObjectOptions{})
	err = b.recordResult(err)
	if errors.Is(err, fs.ErrNotExist) {
		return b.findInList(ctx, name)
	}
	if err != nil {
		return chartrepo.FileInfo{}, err
	}
	return b.toFileInfo(object), checkSize(object)
}

// checkSize returns an error for a response without a size, from which no empty file can be distinguished.
func checkSize(object minio.ObjectInfo) error {
	if object.Size < 0 {
		return newUnavailableError("the response has no size", nil)
	}
	return nil
}

func (b *Bucket) toFileInfo(object minio.ObjectInfo) chartrepo.FileInfo {
	return chartrepo.FileInfo{
		Name: strings.TrimPrefix(object.Key, b.prefix), Size: object.Size, ETag: object.ETag,
		// The headers of an object have whole seconds, a list has more.
		ModTime: object.LastModified.UTC().Truncate(time.Second),
	}
}

// findInList lists a file that was not found. The response to a request for an object has the same
// status if the bucket does not exist, or if a proxy does not find the service.
func (b *Bucket) findInList(ctx context.Context, name string) (chartrepo.FileInfo, error) {
	// The file itself is the first one with this prefix.
	options := minio.ListObjectsOptions{Prefix: b.prefix + name, Recursive: true, MaxKeys: 1}
	for object := range b.client.ListObjectsIter(ctx, b.name, options) {
		if object.Err != nil {
			return chartrepo.FileInfo{}, b.recordResult(object.Err)
		}
		if object.Key == options.Prefix {
			return b.toFileInfo(object), nil
		}
		break
	}
	if err := b.recordResult(ctx.Err()); err != nil {
		return chartrepo.FileInfo{}, err
	}
	return chartrepo.FileInfo{}, fs.ErrNotExist
}

// Write writes a file with one request.
func (b *Bucket) Write(name string, data []byte) error { return b.writeWith(b.writer, name, data) }

// Mark writes a small file.
func (b *Bucket) Mark(name string) error {
	return b.writeWith(b.client, name, []byte(path.Base(name)+"\n"))
}

func (b *Bucket) writeWith(client *minio.Client, name string, data []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), transferTimeout)
	defer cancel()
	_, err := client.PutObject(ctx, b.name, b.prefix+name, bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{
		ContentType: "application/octet-stream", DisableMultipart: true,
	})
	return b.recordWrite(err)
}

// recordWrite is recordResult for a write or removal: a bucket that cannot be written can be read.
func (b *Bucket) recordWrite(err error) error {
	if err = toError(err); err == nil {
		b.last.Store(nil)
	}
	// No file is missing if the bucket is.
	if errors.Is(err, fs.ErrNotExist) {
		return newUnavailableError(err.Error(), nil)
	}
	return err
}

// Touch writes the file again.
func (b *Bucket) Touch(name string, data []byte) error { return b.Write(name, data) }

// Remove removes a file if it exists.
func (b *Bucket) Remove(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	return b.recordWrite(b.writer.RemoveObject(ctx, b.name, b.prefix+name, minio.RemoveObjectOptions{}))
}

// Discard removes a file if it exists.
func (b *Bucket) Discard(name string) error { return b.Remove(name) }

// List calls visit for all files below a folder.
func (b *Bucket) List(folder string, visit func(chartrepo.FileInfo) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), transferTimeout)
	defer cancel()
	options := minio.ListObjectsOptions{Prefix: b.prefix + folder + "/", Recursive: true}
	listed := 0
	for object := range b.client.ListObjectsIter(ctx, b.name, options) {
		if object.Err != nil {
			return b.recordResult(object.Err)
		}
		if listed++; listed > b.maxListed {
			return b.recordResult(newUnavailableError(fmt.Sprintf("the bucket lists more than %d objects", b.maxListed), nil))
		}
		if !strings.HasPrefix(object.Key, options.Prefix) || !isFileName(strings.TrimPrefix(object.Key, b.prefix)) {
			continue
		}
		if err := visit(b.toFileInfo(object)); err != nil {
			return err
		}
	}
	// The list ends without an error when the time is over.
	return b.recordResult(ctx.Err())
}

// isFileName reports whether an object can be a file. Some programs create an object for each folder, and a
// server or a proxy in between could take a name with ".." for another object.
func isFileName(name string) bool { return fs.ValidPath(name) && utf8.ValidString(name) }

// CheckSpace writes and removes an object.
func (b *Bucket) CheckSpace(size int64) error {
	data := make([]byte, size)
	if _, err := io.ReadFull(rand.Reader, data); err != nil { // Some services compress zeros.
		return fmt.Errorf("make content: %w", err)
	}
	return errors.Join(b.Write(spaceCheck, data), b.Remove(spaceCheck))
}
