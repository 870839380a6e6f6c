package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// keychain maps a registry, or a registry and a prefix of a repository, to credentials.
type keychain map[string]authn.AuthConfig

// readDockerConfig parses the auths of a docker config. Empty content results in an empty
// keychain. Errors contain the registry but no credentials.
func readDockerConfig(content []byte) (authn.Keychain, error) {
	keys := keychain{}
	if len(content) == 0 {
		return keys, nil
	}
	var config struct {
		Auths map[string]json.RawMessage `json:"auths"`
	}
	if json.Unmarshal(content, &config) != nil {
		return nil, errors.New("want JSON with a map named auths")
	}
	for key, raw := range config.Auths {
		var auth authn.AuthConfig
		if json.Unmarshal(raw, &auth) != nil {
			return nil, fmt.Errorf("the entry of registry %q is invalid", key)
		}
		keys[normalKey(key)] = auth
	}
	return keys, nil
}

// normalKey returns the same key for the forms in which docker, podman and Kubernetes write a
// registry: https://index.docker.io/v1/, docker.io, quay.io/team.
func normalKey(key string) string {
	key = strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
	key = strings.TrimSuffix(key, "/")
	key = strings.TrimSuffix(strings.TrimSuffix(key, "/v1"), "/v2")
	host, path, _ := strings.Cut(key, "/")
	if host == dockerHub || host == "registry-1.docker.io" {
		host = name.DefaultRegistry
	}
	if path == "" {
		return host
	}
	return host + "/" + path
}

// Resolve implements authn.Keychain. The longest matching key is used.
func (k keychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	for key := target.String(); ; {
		if auth, ok := k[key]; ok {
			return authn.FromConfig(auth), nil
		}
		cut := strings.LastIndexByte(key, '/')
		if cut < 0 {
			return authn.Anonymous, nil
		}
		key = key[:cut]
	}
}
