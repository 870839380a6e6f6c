package preflight

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

const (
	// maxPullSecrets is the maximum number of image pull Secrets that are read for one app.
	maxPullSecrets = 20
	// maxPullAccounts is the maximum number of service accounts whose image pull Secrets are read for one app.
	maxPullAccounts = 20
	// maxRegistryEntries is the maximum number of entries of a Secret that are compared with an image.
	maxRegistryEntries = 1000
	dockerHub          = "docker.io"
)

// PullSecret contains the fields of an image pull Secret that the checks use. It contains no credentials.
type PullSecret struct {
	// Fault describes why the kubelet ignores the Secret, "" if it does not, as a phrase such as "not found".
	Fault string
	// Registries contains the registries, or the registries with a prefix of a repository, for which the Secret
	// has credentials.
	Registries []string
}

// ToPullSecret returns the registries of a Secret.
func ToPullSecret(secret *corev1.Secret) PullSecret {
	key, entries := corev1.DockerConfigJsonKey, map[string]json.RawMessage{}
	var err error
	switch secret.Type {
	case corev1.SecretTypeDockerConfigJson:
		var config struct {
			Auths map[string]json.RawMessage `json:"auths"`
		}
		err = json.Unmarshal(secret.Data[key], &config)
		entries = config.Auths
	case corev1.SecretTypeDockercfg:
		key = corev1.DockerConfigKey
		err = json.Unmarshal(secret.Data[key], &entries)
	default:
		return PullSecret{Fault: fmt.Sprintf("has the type %q instead of %s", secret.Type, corev1.SecretTypeDockerConfigJson)}
	}
	if err != nil {
		return PullSecret{Fault: fmt.Sprintf("has no valid JSON in the key %q", key)}
	}
	found := PullSecret{}
	for entry := range entries {
		if len(found.Registries) < maxRegistryEntries {
			found.Registries = append(found.Registries, normalizeEntry(entry))
		}
	}
	return found
}

// normalizeEntry returns the same text for the forms in which programs write a registry, such as docker.io and
// https://index.docker.io/v1/.
func normalizeEntry(entry string) string {
	entry = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(entry, "https://"), "http://"), "/")
	entry = strings.TrimSuffix(strings.TrimSuffix(entry, "/v1"), "/v2")
	host, prefix, _ := strings.Cut(entry, "/")
	if host == "index."+dockerHub || host == "registry-1."+dockerHub {
		host = dockerHub
	}
	if prefix == "" {
		return host
	}
	return host + "/" + prefix
}

// covers reports whether a Secret has credentials for an image, as the kubelet compares them: an entry is a host,
// whose parts can be patterns, and a prefix of the repository.
func (s *PullSecret) covers(image string) bool {
	host, repository, _ := strings.Cut(image, "/")
	for _, entry := range s.Registries {
		pattern, prefix, _ := strings.Cut(entry, "/")
		matches, err := path.Match(pattern, host)
		if err == nil && matches && strings.Count(pattern, ".") == strings.Count(host, ".") && strings.HasPrefix(repository, prefix) {
			return true
		}
	}
	return false
}

// registryOf returns the registry of a normalized reference.
func registryOf(image string) string {
	host, _, _ := strings.Cut(image, "/")
	return host
}

// serverFor returns the registry in the form that kubectl create secret docker-registry requires.
func serverFor(registry string) string {
	if registry == dockerHub {
		return "https://index.docker.io/v1/"
	}
	return registry
}
