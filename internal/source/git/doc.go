// Package git reads the files of one commit of a git repository from the streams of the smart
// protocol, version 0: the references that a server advertises, and the pack that it sends.
//
// The package opens no connections and runs no program. It never runs hooks or filters, and
// does not fetch submodules or files of Git LFS. The histories of repositories are not fetched if
// the server supports shallow clones.
//
// A server is untrusted. The sizes of the advertisement and of the pack, and the number, the sizes
// and the total size of the objects are limited before an object is resolved. Names that leave
// the folder, and names of the folder .git, are rejected, and symbolic links are never followed.
// No error contains text of a server.
package git

import (
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// MaxReferenceBytes is the maximum size of the advertisement of references.
	MaxReferenceBytes = 16 << 20
	// MaxPackBytes is the maximum size of a pack.
	MaxPackBytes = 64 << 20
	// MaxObjects is the maximum number of objects of a pack.
	MaxObjects = 100_000
	// MaxObjectBytes is the maximum size of an object.
	MaxObjectBytes = 16 << 20
	// MaxUnpackedBytes is the maximum size of all objects.
	MaxUnpackedBytes = 256 << 20
)

func limitError(format string, args ...any) error {
	return outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf(format, args...))
}

func invalidError(format string, args ...any) error {
	return outcome.Stalled(v1alpha1.ReasonInvalidIndex, fmt.Errorf(format, args...))
}

func notFoundError(format string, args ...any) error {
	return outcome.Stalled(v1alpha1.ReasonNotFound, fmt.Errorf(format, args...))
}
