package preflight

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// FuzzPullSecret reads any content of an image pull Secret of a tenant. The result contains no credentials, and can be
// compared with any image.
func FuzzPullSecret(f *testing.F) {
	const password = "secret-of-the-registry"
	f.Add([]byte(`{"auths":{"https://index.docker.io/v1/":{"username":"a","password":"`+password+`"}}}`), "docker.io/library/nginx:1")
	f.Add([]byte(`{"auths":{"*.example.com/a":{"auth":"`+password+`"},"[":{},"":null}}`), "registry.example.com/a/b")
	f.Add([]byte(`{"registry.example.com:5000":{"auth":"`+password+`"},"auths":[]}`), "registry.example.com:5000/a")
	f.Add([]byte(password), "")
	f.Fuzz(func(t *testing.T, content []byte, image string) {
		for kind, key := range map[corev1.SecretType]string{
			corev1.SecretTypeDockerConfigJson: corev1.DockerConfigJsonKey, corev1.SecretTypeDockercfg: corev1.DockerConfigKey, corev1.SecretTypeOpaque: "x",
		} {
			found := ToPullSecret(&corev1.Secret{Type: kind, Data: map[string][]byte{key: content}})
			if len(found.Registries) > maxRegistryEntries || found.Fault != "" && len(found.Registries) > 0 {
				t.Fatalf("%d registries with the fault %q", len(found.Registries), found.Fault)
			}
			if strings.Contains(found.Fault, password) {
				t.Fatalf("the fault contains a password: %q", found.Fault)
			}
			if found.covers(image) && len(found.Registries) == 0 {
				t.Fatalf("no registry covers %q", image)
			}
		}
	})
}
