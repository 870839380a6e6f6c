package bucket

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/minio/minio-go/v7"

	"github.com/appmarket/operator/internal/chartrepo"
)

// file is an open object. Consecutive reads use the same response.
type file struct {
	bucket *Bucket
	object *minio.Object
	info   chartrepo.FileInfo
	cancel context.CancelFunc
	// offset is where Read continues, position where the response continues.
	offset, position int64
}

// Open opens a file. All reads return the content of one version.
func (b *Bucket) Open(name string) (chartrepo.File, error) {
	ctx, cancel := context.WithTimeout(context.Background(), transferTimeout)
	for range maxAttempts {
		opened, err := b.openObject(ctx, cancel, name)
		if err == nil {
			return opened, nil
		}
		// A file that is listed now was written in the meantime.
		if errors.Is(err, fs.ErrNotExist) {
			_, err = b.findInList(ctx, name)
		}
		if err != nil {
			cancel()
			return nil, err
		}
	}
	cancel()
	return nil, newUnavailableError("the bucket lists an object that it does not return", nil)
}

func (b *Bucket) openObject(ctx context.Context, cancel context.CancelFunc, name string) (*file, error) {
	object, err := b.client.GetObject(ctx, b.name, b.prefix+name, minio.GetObjectOptions{})
	if err != nil {
		return nil, b.recordResult(err)
	}
	found, err := object.Stat()
	if err = b.recordResult(err); err == nil {
		err = checkSize(found)
	}
	if err != nil {
		return nil, errors.Join(err, object.Close())
	}
	return &file{bucket: b, object: object, info: b.toFileInfo(found), cancel: cancel}, nil
}

func (f *file) Info() chartrepo.FileInfo { return f.info }

func (f *file) Close() error {
	f.cancel()
	// The error is the one that the last read returned.
	_ = f.object.Close()
	return nil
}

func (f *file) Read(data []byte) (int, error) {
	n, err := f.readFrom(data, f.offset)
	f.offset += int64(n)
	return n, err
}

// ReadAt reads all of data, or up to the end of the file.
func (f *file) ReadAt(data []byte, offset int64) (n int, err error) {
	if offset < 0 {
		return 0, fs.ErrInvalid
	}
	for n < len(data) && err == nil {
		var more int
		more, err = f.readFrom(data[n:], offset+int64(n))
		n += more
	}
	return n, err
}

// readFrom reads some bytes at an offset, with a new request only if the last read ended elsewhere.
func (f *file) readFrom(data []byte, offset int64) (int, error) {
	if offset >= f.info.Size {
		return 0, io.EOF
	}
	if offset != f.position {
		if _, err := f.object.Seek(offset, io.SeekStart); err != nil {
			return 0, f.bucket.recordResult(err)
		}
		f.position = offset
	}
	n, err := f.object.Read(data)
	f.position += int64(n)
	if errors.Is(err, io.EOF) {
		if f.position >= f.info.Size {
			return n, io.EOF
		}
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		return n, nil
	}
	if err = f.bucket.recordResult(err); errors.Is(err, fs.ErrNotExist) {
		// The file was removed, unless it is listed.
		if _, err = f.bucket.Stat(f.info.Name); err != nil {
			return n, err
		}
	}
	return n, newUnavailableError("the content ended early or changed", err)
}

// Seek sets the position of Read without a request.
func (f *file) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.offset
	case io.SeekEnd:
		offset += f.info.Size
	}
	if offset < 0 {
		return 0, fs.ErrInvalid
	}
	f.offset = offset
	return offset, nil
}
