package images

import (
	"errors"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// maxReferenceBytes bounds an image reference: a registry of 255 characters, a
// repository of as many, a tag of 128 and a digest.
const maxReferenceBytes = 800

// Names and tags as the OCI distribution specification has them; the library lets
// more pass, such as empty parts.
var (
	repositoryForm = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagForm        = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
)

// ImageReference returns an image reference in full, as a container runtime reads
// it: "nginx" is "docker.io/library/nginx:latest". Of a tag and a digest only the
// digest counts. What no runtime would accept is an error.
func NormalizeReference(s string) (string, error) {
	if s == "" {
		return "", errors.New("it is empty")
	}
	if len(s) > maxReferenceBytes {
		return "", errors.New("it is too long")
	}
	ref, err := name.ParseReference(s)
	if err != nil || !wellFormed(ref) {
		return "", errors.New("it is not of the form registry/repository:tag")
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
