package uploads

import (
	"io/fs"
	"os"
	"time"

	"github.com/appmarket/operator/hydrate"
)

const (
	// maxVerified is the number of files that are not read again.
	maxVerified = 4096
	// verifiedTime is the time after which a file is read again: a damaged disk changes neither the size nor
	// the time of a file.
	verifiedTime = 10 * time.Minute
)

// verifiedFile is a file that had its digest at a time.
type verifiedFile struct {
	info fs.FileInfo
	time time.Time
}

// isVerified reports whether content was compared with its digest shortly before, and its file has not changed.
func (s *Store) isVerified(owner hydrate.Owner, digest string) bool {
	file, _, err := s.OpenBlob(owner, digest)
	if err != nil {
		return false
	}
	info, err := file.Stat()
	_ = file.Close() // It was not read.
	found, _ := s.verified.Get(file.Name())
	known, isKnown := found.(verifiedFile)
	return err == nil && isKnown && s.options.Now().Sub(known.time) < verifiedTime &&
		os.SameFile(info, known.info) && info.Size() == known.info.Size() && info.ModTime().Equal(known.info.ModTime())
}
