package appinstance

import (
	"crypto/sha256"
	"encoding/hex"
)

// maxReleaseName is Helm's bound on the name of a release.
const maxReleaseName = 53

// shortened is a name that Helm accepts: a longer one is cut, and told from others
// that begin alike by a digest.
func shortened(name string) string {
	if len(name) <= maxReleaseName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	tail := "-" + hex.EncodeToString(sum[:4])
	return name[:maxReleaseName-len(tail)] + tail
}
