package images

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// maxReferenceBytes is the maximum length of an image reference: a registry and a
// repository of 255 characters each, a tag of 128 characters, and a digest.
const maxReferenceBytes = 800

// Names and tags as defined by the OCI distribution specification. The library accepts
// more, such as empty path components.
var (
	repositoryForm = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagForm        = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
)

// NormalizeReference returns an image reference in its full form, as a container runtime
// resolves it: "nginx" becomes "docker.io/library/nginx:latest". If the reference has a tag
// and a digest, the tag is dropped. It returns an error for a reference that no container
// runtime accepts.
func NormalizeReference(s string) (string, error) {
	if s == "" {
		return "", errors.New("must not be empty")
	}
	if len(s) > maxReferenceBytes {
		return "", fmt.Errorf("must have at most %d bytes", maxReferenceBytes)
	}
	ref, err := name.ParseReference(s)
	if err != nil || !wellFormed(ref) {
		return "", errors.New("must have the form <registry>/<repository>:<tag>")
	}
	full := ref.Name()
	if rest, ok := strings.CutPrefix(full, name.DefaultRegistry+"/"); ok {
		full = "docker.io/" + rest
	}
	return full, nil
}

func wellFormed(ref name.Reference) bool {
	tag, tagged := ref.(name.Tag)
	return repositoryForm.MatchString(ref.Context().RepositoryStr()) && (!tagged || tagForm.MatchString(tag.TagStr()))
}
