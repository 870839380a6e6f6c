package dockerconfig

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	. "github.com/onsi/gomega"
)

// FuzzDockerConfig reads any docker config of a Secret. Its passwords must not be part of an error.
func FuzzDockerConfig(f *testing.F) {
	f.Add([]byte(`{"auths": {"https://index.docker.io/v1/": {"auth": "bWU6cHc="}, "quay.io/team": {"username": "me", "password": "pw"}}}`))
	f.Add([]byte(`{"auths": {"": null, "x": {"auth": "***"}, "https://": {"auth": "bWU="}}}`))
	f.Add([]byte(`{"auths": []}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		g := NewWithT(t)
		keys, err := Parse(content)
		if err != nil {
			g.Expect(err.Error()).NotTo(ContainSubstring("password"))
			return
		}
		for _, image := range []string{"nginx", "quay.io/team/web:1", "registry.example:5000/a/b/c"} {
			reference, err := name.ParseReference(image)
			g.Expect(err).NotTo(HaveOccurred())
			found, err := keys.Resolve(reference.Context())
			g.Expect(err).NotTo(HaveOccurred())
			_, _ = found.Authorization() // An error is one of the request.
			username, _ := keys.FindLogin(image)
			g.Expect(len(username)).To(BeNumerically("<=", len(content)))
		}
	})
}
