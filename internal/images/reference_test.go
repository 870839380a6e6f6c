package images_test

import (
	"strings"
	"testing"

	"github.com/appmarket/operator/internal/images"

	. "github.com/onsi/gomega"
)

func TestImageReference(t *testing.T) {
	sum := "sha256:" + strings.Repeat("ab", 32)
	for _, c := range []struct{ given, want string }{
		{"nginx", "docker.io/library/nginx:latest"},
		{"nginx:1.27", "docker.io/library/nginx:1.27"},
		{"bitnami/redis", "docker.io/bitnami/redis:latest"},
		{"docker.io/nginx", "docker.io/library/nginx:latest"},
		{"docker.io/library/nginx:1", "docker.io/library/nginx:1"},
		{"index.docker.io/library/nginx:1", "docker.io/library/nginx:1"},
		{"nginx@" + sum, "docker.io/library/nginx@" + sum},
		{"nginx:1.27@" + sum, "docker.io/library/nginx@" + sum},
		{"ghcr.io/a/b/c:v1.2.3-rc.1_x", "ghcr.io/a/b/c:v1.2.3-rc.1_x"},
		{"localhost/a", "localhost/a:latest"},
		{"localhost:5000/a:1", "localhost:5000/a:1"},
		{"registry.example.com:8443/a@" + sum, "registry.example.com:8443/a@" + sum},
		{"10.0.0.1:5000/a", "10.0.0.1:5000/a:latest"},
	} {
		t.Run(c.given, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(images.NormalizeReference(c.given)).To(Equal(c.want))
			g.Expect(images.NormalizeReference(c.want)).To(Equal(c.want), "a full name stays")
		})
	}
}

func TestImageReferenceRefuses(t *testing.T) {
	for _, c := range []struct{ why, given string }{
		{"nothing", ""},
		{"a space before", " nginx"},
		{"a newline after", "nginx\n"},
		{"capital letters", "Nginx"},
		{"an address", "https://ghcr.io/a/b"},
		{"no tag after the colon", "nginx:"},
		{"two tags", "nginx:1:2"},
		{"a tag of strange letters", "nginx:1/2:é"},
		{"no name", ":1.27"},
		{"no name after the registry", "ghcr.io/:1"},
		{"an empty part", "ghcr.io//a"},
		{"a way out of the registry's folder", "ghcr.io/../a"},
		{"a slash at the end", "ghcr.io/a/"},
		{"a part that begins with a dash", "ghcr.io/-a"},
		{"a tag that begins with a dot", "nginx:.1"},
		{"a short digest", "nginx@sha256:abcd"},
		{"a digest of nothing", "nginx@"},
		{"two digests", "nginx@sha256:" + strings.Repeat("ab", 32) + "@sha256:" + strings.Repeat("ab", 32)},
		{"a template that was not rendered", "{{ .Values.image }}"},
		{"a value that was not given", "nginx:<no value>"},
		{"a tag that is too long", "nginx:" + strings.Repeat("x", 129)},
		{"a name that is too long", strings.Repeat("x", 1000)},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			full, err := images.NormalizeReference(c.given)
			g.Expect(err).To(HaveOccurred(), full)
			g.Expect(full).To(BeEmpty())
		})
	}
}
