package uploads

import (
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
)

const (
	// partialPrefix starts the name of a file that is being received, and completePrefix the name
	// of one that was received.
	partialPrefix, completePrefix = "partial-", "sha256-"
	// maxIncoming is the number of incoming files of the sources of one namespace. Each has at most
	// chart.MaxArchiveBytes.
	maxIncoming = 32
	// maxNamespaceIncomingBytes is the size of the incoming files of the sources of one namespace, and
	// maxIncomingBytes of all. What sessions receive at the same time can exceed them: the number of
	// sessions is limited.
	maxNamespaceIncomingBytes, maxIncomingBytes = 8 * chart.MaxArchiveBytes, 64 * chart.MaxArchiveBytes
)

// ErrTooManyUploads is the error if there are too many uploads in progress.
var ErrTooManyUploads = errors.New("too many unfinished uploads: try again later")

// incomingFile is content that no version has yet.
type incomingFile struct {
	namespace, name string
	size            int64
	modified        time.Time
	// isIdle is whether no session receives the content.
	isIdle bool
}

// makeRoom removes idle unfinished uploads, the oldest first, until there is room for another one in its
// namespace and in total. If the total is exceeded, it removes uploads of the namespace that uses the most space.
func (s *Store) makeRoom(u *Session) error {
	files, err := s.listIncoming()
	if err != nil {
		return err
	}
	files = slices.DeleteFunc(files, func(f incomingFile) bool { return f.name == u.path })
	for {
		namespace, isFull := u.owner.Namespace, true
		if !isNamespaceFull(files, namespace) {
			namespace, isFull = largestNamespace(files), sizeOf(files, "") > maxIncomingBytes
		}
		if !isFull {
			return nil
		}
		oldest := oldestIdle(files, namespace)
		if oldest < 0 {
			return ErrTooManyUploads
		}
		if err := s.discardFile(files[oldest].name); err != nil {
			return err
		}
		files = slices.Delete(files, oldest, oldest+1)
	}
}

// listIncoming returns the incoming files of all sources.
func (s *Store) listIncoming() ([]incomingFile, error) {
	owners, err := s.owners(incomingFolder)
	if err != nil {
		return nil, err
	}
	var files []incomingFile
	for _, owner := range owners {
		found, err := s.readFolder(incomingPath(owner))
		if err != nil {
			return nil, err
		}
		for _, entry := range found {
			info, err := entry.Info()
			if err != nil {
				continue // It was removed in the meantime.
			}
			name := path.Join(incomingPath(owner), entry.Name())
			files = append(files, incomingFile{
				namespace: owner.Namespace, name: name, size: info.Size(), modified: info.ModTime(), isIdle: !s.isReceiving(name),
			})
		}
	}
	return files, nil
}

// isNamespaceFull reports whether a namespace has no room for another file.
func isNamespaceFull(files []incomingFile, namespace string) bool {
	count := 0
	for _, f := range files {
		if f.namespace == namespace {
			count++
		}
	}
	return count >= maxIncoming || sizeOf(files, namespace) > maxNamespaceIncomingBytes
}

// sizeOf returns the size of the files of a namespace, or of all if it is empty.
func sizeOf(files []incomingFile, namespace string) int64 {
	var size int64
	for _, f := range files {
		if namespace == "" || f.namespace == namespace {
			size += f.size
		}
	}
	return size
}

// largestNamespace returns the namespace whose idle files have the largest size.
func largestNamespace(files []incomingFile) string {
	sizes, largest := map[string]int64{}, ""
	for _, f := range files {
		if !f.isIdle {
			continue
		}
		if sizes[f.namespace] += f.size; largest == "" || sizes[f.namespace] > sizes[largest] {
			largest = f.namespace
		}
	}
	return largest
}

// oldestIdle returns the index of the file of a namespace that has been idle the longest, -1 if there is none.
func oldestIdle(files []incomingFile, namespace string) int {
	oldest := -1
	for i, f := range files {
		if f.isIdle && f.namespace == namespace && (oldest < 0 || f.modified.Before(files[oldest].modified)) {
			oldest = i
		}
	}
	return oldest
}

// isReceiving reports whether a session has a path.
func (s *Store) isReceiving(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[name] != nil
}

func incomingPath(owner hydrate.Owner) string {
	return path.Join(incomingFolder, owner.Namespace, owner.Source)
}

func completePath(owner hydrate.Owner, digest string) string {
	return path.Join(incomingPath(owner), completePrefix+strings.TrimPrefix(digest, "sha256:"))
}
