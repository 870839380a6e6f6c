package chartrepo

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// ErrUnavailable matches the errors of a Storage that cannot be reached, or whose response is not
// the state of a file. Such an error is no evidence that a file is missing or damaged.
var ErrUnavailable = errors.New("storage is unavailable")

// Storage contains the files of a Store: records and blobs. File names have forward slashes. A
// Storage is safe for concurrent use. The time and the memory that a call needs are limited.
//
// An error matches fs.ErrNotExist only if the file is known not to exist, and contains nothing that
// differs for each attempt.
type Storage interface {
	// Prepare makes a Storage usable that is new or was emptied.
	Prepare() error
	// Stat returns the current version of a file.
	Stat(name string) (FileInfo, error)
	// Open opens a file. The file must be closed.
	Open(name string) (File, error)
	// Write replaces a file, atomically and durably.
	Write(name string, data []byte) error
	// Mark writes a small file, whose content has no meaning. Other than Write, a process that must not change files can call it.
	Mark(name string) error
	// Touch sets the modification time of a file with this content to the current time.
	Touch(name string, data []byte) error
	// Remove removes a file if it exists, durably.
	Remove(name string) error
	// Discard removes a file if it exists. The file may reappear after a crash.
	Discard(name string) error
	// List calls visit for all files below a folder until it returns an error.
	List(folder string, visit func(FileInfo) error) error
	// CheckSpace returns an error if a file of this size cannot be written.
	CheckSpace(size int64) error
	// Check returns an error if the files cannot be read. It returns soon.
	Check() error
	// Close closes the Storage.
	Close() error
}

// FileInfo describes a version of a file.
type FileInfo struct {
	Name    string
	Size    int64
	ModTime time.Time
	// ETag identifies the content in a bucket.
	ETag string
	// file is set for a file of a volume.
	file os.FileInfo
}

// isSameVersion reports whether a file has not been written in the meantime.
func (i FileInfo) isSameVersion(other FileInfo) bool {
	if i.Size != other.Size || i.ETag != other.ETag || !i.ModTime.Equal(other.ModTime) {
		return false
	}
	return i.file == nil && other.file == nil || os.SameFile(i.file, other.file)
}

// isRegular reports whether a file is neither a link nor a device.
func (i FileInfo) isRegular() bool { return i.file == nil || i.file.Mode().IsRegular() }

// File is an open file. It is not safe for concurrent use.
type File interface {
	io.ReadSeeker
	io.ReaderAt
	io.Closer
	// Info describes the version that was opened.
	Info() FileInfo
}

// hasContent reports whether a file has exactly this content.
func hasContent(files Storage, name string, data []byte) (bool, error) {
	// Most files that are written do not exist yet.
	info, err := files.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || info.Size != int64(len(data)) {
		return false, err
	}
	found, err := readFile(files, name, info.Size)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return bytes.Equal(found, data), err
}

// readFile reads at most limit bytes of a file.
func readFile(files Storage, name string, limit int64) (data []byte, err error) {
	file, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buffer := bytes.NewBuffer(make([]byte, 0, min(file.Info().Size, limit)+bytes.MinRead))
	_, err = buffer.ReadFrom(io.LimitReader(file, limit))
	return buffer.Bytes(), err
}
