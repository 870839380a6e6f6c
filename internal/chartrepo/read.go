package chartrepo

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/volume"
)

// ErrDamaged is the error for a blob that does not match its digest.
var ErrDamaged = errors.New("content does not match its digest")

// content is the body of a response: bytes in memory, or a section of a file that must be
// closed.
type content struct {
	data    []byte
	section *io.SectionReader
	file    File
}

func (c content) close() error {
	if c.file == nil {
		return nil
	}
	return c.file.Close()
}

// reader returns the content in the form that http.ServeContent needs.
func (c content) reader() io.ReadSeeker {
	switch {
	case c.section == nil:
		return bytes.NewReader(c.data)
	case c.file == nil || c.section.Size() != c.file.Info().Size:
		return c.section
	}
	if file, ok := c.file.(volumeFile); ok {
		// The kernel can send a whole file.
		return file.File
	}
	return c.file
}

// Archive returns the archive with the digest "sha256:<hex>", published or not yet swept. The
// bytes match the digest and must not be changed. The error for a missing archive matches
// fs.ErrNotExist, the error for an altered one ErrDamaged.
func (s *Store) Archive(digest string) ([]byte, error) {
	c, err := s.openArchive(digest)
	if err != nil || c.file == nil {
		return c.data, err
	}
	data, err := io.ReadAll(io.LimitReader(c.section, chart.MaxArchiveBytes+1))
	if err := errors.Join(err, c.close()); err != nil {
		return nil, volume.StorageError(fmt.Errorf("read archive: %w", err))
	}
	return data, nil
}

// openArchive is Archive for the server, which does not need a large archive in memory.
func (s *Store) openArchive(digest string) (content, error) {
	return s.loadContent(digest, func() (content, error) {
		file, err := s.openBlob(digest)
		if err != nil {
			return content{}, err
		}
		info := file.Info()
		if info.Size > s.cache.maxItemSize() {
			return openStream(file, io.NewSectionReader(file, 0, info.Size), s.verifyDigest(digest, file))
		}
		data, err := io.ReadAll(io.LimitReader(file, info.Size))
		if err := errors.Join(err, file.Close()); err != nil {
			return content{}, volume.StorageError(fmt.Errorf("read blob: %w", err))
		}
		if digestOf(data) != digest {
			s.removeDamaged(digest, &info, ErrDamaged)
			return content{}, volume.StorageError(fmt.Errorf("check blob: %w", ErrDamaged))
		}
		return content{data: data}, nil
	})
}

// Report returns one file of the reports with the digest "sha256:<hex>". The error for a missing file matches
// fs.ErrNotExist.
func (s *Store) Report(digest, name string) ([]byte, error) {
	c, err := s.openReport(digest, name)
	if err != nil || c.data != nil {
		return c.data, err
	}
	data, err := io.ReadAll(c.reader())
	if err := errors.Join(err, c.close()); err != nil {
		return nil, volume.StorageError(fmt.Errorf("read report: %w", err))
	}
	return data, nil
}

// openReport returns one file of packed reports.
func (s *Store) openReport(digest, name string) (content, error) {
	return s.loadContent(digest+"/"+name, func() (content, error) {
		file, err := s.openBlob(digest)
		if err != nil {
			return content{}, err
		}
		if err := s.verifyDigest(digest, file); err != nil {
			return content{}, errors.Join(err, file.Close())
		}
		info := file.Info()
		found, err := findReport(file, info.Size, name)
		if err != nil {
			return content{}, errors.Join(err, file.Close())
		}
		if size := int64(found.UncompressedSize64); size > s.cache.maxItemSize() {
			offset, err := found.DataOffset()
			return openStream(file, io.NewSectionReader(file, offset, size), err)
		}
		data, err := readReport(found)
		if errors.Is(err, zip.ErrChecksum) {
			s.removeDamaged(digest, &info, ErrDamaged)
		}
		if err := errors.Join(err, file.Close()); err != nil {
			return content{}, volume.StorageError(fmt.Errorf("read report: %w", err))
		}
		return content{data: data}, nil
	})
}

// openStream returns content to be streamed, or closes the file and returns the error.
func openStream(file File, section *io.SectionReader, err error) (content, error) {
	if err != nil {
		return content{}, errors.Join(err, file.Close())
	}
	return content{section: section, file: file}, nil
}

// loadContent returns the content with the key from the cache, or reads it. Small content is
// read once for all concurrent requests, and cached.
func (s *Store) loadContent(key string, read func() (content, error)) (content, error) {
	if data, ok := s.cache.get(key); ok {
		return content{data: data}, nil
	}
	shared, err, _ := s.loads.Do(key, func() (any, error) {
		c, err := read()
		if err != nil {
			return content{}, err
		}
		if c.file != nil {
			// A reader has one position, so each request needs its own.
			return content{}, c.close()
		}
		s.cache.add(key, c.data)
		return c, nil
	})
	if err != nil {
		return content{}, err
	}
	if c := shared.(content); c.data != nil {
		return c, nil
	}
	return read()
}

// openBlob opens a blob, which may be damaged. A missing blob that is referenced is reported, and
// one that is too large to be read.
func (s *Store) openBlob(digest string) (File, error) {
	if !digestPattern.MatchString(digest) {
		return nil, fmt.Errorf("open blob %q: %w", digest, fs.ErrNotExist)
	}
	file, err := s.files.Open(blobPath(digest))
	if errors.Is(err, fs.ErrNotExist) {
		s.removeDamaged(digest, nil, err)
	}
	if err != nil {
		return nil, volume.StorageError(fmt.Errorf("open blob: %w", err))
	}
	if info := file.Info(); info.Size > maxBlobBytes {
		s.removeDamaged(digest, &info, ErrDamaged)
		return nil, volume.StorageError(fmt.Errorf("open blob: %w", errors.Join(ErrDamaged, file.Close())))
	}
	return file, nil
}

// verifyDigest compares a file with its digest, unless the same file was compared before. A
// damaged file is removed and reported.
func (s *Store) verifyDigest(digest string, file File) error {
	info := file.Info()
	if old, ok := s.verified.Load(digest); ok && info.isSameVersion(old.(FileInfo)) {
		return nil
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, io.NewSectionReader(file, 0, info.Size)); err != nil {
		return volume.StorageError(fmt.Errorf("check blob: %w", err))
	}
	if "sha256:"+hex.EncodeToString(hash.Sum(nil)) != digest {
		s.removeDamaged(digest, &info, ErrDamaged)
		return volume.StorageError(fmt.Errorf("check blob: %w", ErrDamaged))
	}
	s.verified.Store(digest, info)
	return nil
}
