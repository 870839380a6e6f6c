package git

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// pack is a pack in a file.
type pack struct {
	*packfile.Packfile
	file *packFile
}

// openPack checks the limits of a pack and indexes it. Everything runs in the calling goroutine,
// so that the caller can recover from a panic, and ends when the context does.
func openPack(ctx context.Context, file *os.File) (*pack, error) {
	in := &packFile{File: file, ctx: ctx}
	if err := checkPack(in); err != nil {
		return nil, in.toError(err)
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return nil, in.toError(err)
	}
	var index idxfile.Writer
	parser, err := packfile.NewParser(packfile.NewScanner(in), &index)
	if err != nil {
		return nil, in.toError(err)
	}
	if _, err := parser.Parse(); err != nil {
		return nil, in.toError(err)
	}
	found, err := index.Index()
	if err != nil {
		return nil, in.toError(err)
	}
	return &pack{packfile.NewPackfile(found, nil, in, 0), in}, nil
}

// checkPack reads a pack to its end without resolving objects. The size of an object is in its
// header, and the size of an object that is stored as a difference is at the beginning of the
// difference.
func checkPack(in *packFile) error {
	scanner := packfile.NewScanner(in)
	_, count, err := scanner.Header()
	if err != nil {
		return err
	}
	if count > MaxObjects {
		return limitError("the commit has %d objects, at most %d are allowed", count, MaxObjects)
	}
	var total uint64
	for range count {
		header, err := scanner.NextObjectHeader()
		if err != nil {
			return err
		}
		size := uint64(max(header.Length, 0))
		if err := checkSize(size, size); err != nil { // Before it is unpacked.
			return err
		}
		var start prefix
		if _, _, err := scanner.NextObject(&start); err != nil {
			return err
		}
		total += size
		if header.Type.IsDelta() {
			size = start.targetSize()
			total += size
		}
		if err := checkSize(size, total); err != nil {
			return err
		}
	}
	return nil
}

func checkSize(size, total uint64) error {
	if size > MaxObjectBytes {
		return limitError("a file of the commit is larger than %d bytes", MaxObjectBytes)
	}
	if total > MaxUnpackedBytes {
		return limitError("the files of the commit are larger than %d bytes in total", MaxUnpackedBytes)
	}
	return nil
}

// prefix is a writer that keeps the first bytes.
type prefix struct{ bytes.Buffer }

func (p *prefix) Write(b []byte) (int, error) {
	if room := 2*binary.MaxVarintLen64 - p.Len(); room > 0 {
		p.Buffer.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}

// targetSize returns the second number of a difference: the size of its result. It returns more
// than the maximum if there is none.
func (p *prefix) targetSize() uint64 {
	if _, err := binary.ReadUvarint(p); err != nil {
		return MaxObjectBytes + 1
	}
	size, err := binary.ReadUvarint(p)
	if err != nil {
		return MaxObjectBytes + 1
	}
	return min(size, MaxObjectBytes+1)
}

// readObject returns the content of an object of a type.
func (p *pack) readObject(hash plumbing.Hash, kind plumbing.ObjectType) (plumbing.EncodedObject, error) {
	found, err := p.Get(hash)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return nil, invalidError("the pack of the git server has no object %s", hash)
	}
	if err != nil {
		return nil, p.file.toError(err)
	}
	if found.Type() != kind {
		return nil, invalidError("object %s is not a %s", hash, kind)
	}
	return found, nil
}

// packFile is a file that cannot be read after the context ends. It implements billy.File, which
// go-git requires.
type packFile struct {
	*os.File
	ctx context.Context
}

func (f *packFile) Read(p []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	return f.File.Read(p)
}

func (f *packFile) ReadAt(p []byte, at int64) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, at)
}

// Lock does nothing, because no other process uses the file.
func (f *packFile) Lock() error { return nil }

// Unlock does nothing.
func (f *packFile) Unlock() error { return nil }

// toError returns the error for a pack that cannot be read. Errors of the library may quote the
// pack.
func (f *packFile) toError(err error) error {
	if f.ctx.Err() != nil {
		return f.ctx.Err()
	}
	if isClassified(err) {
		return err
	}
	return invalidError("the pack of the git server is invalid")
}
