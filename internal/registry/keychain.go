package registry

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// keychain maps a registry, or a registry and the start of a repository's path,
// to credentials.
type keychain map[string]authn.AuthConfig

// readDockerConfig reads the auths of a docker config. No content is an empty
// keychain. Errors name the registry and never what stands there.
func readDockerConfig(content []byte) (authn.Keychain, error) {
	keys := keychain{}
	if len(content) == 0 {
		return keys, nil
	}
	var config struct {
		Auths map[string]json.RawMessage `json:"auths"`
	}
	if json.Unmarshal(content, &config) != nil {
		return nil, fmt.Errorf("want JSON with a map named auths")
	}
	for key, raw := range config.Auths {
		var auth authn.AuthConfig
		if json.Unmarshal(raw, &auth) != nil {
			return nil, fmt.Errorf("the entry of registry %q is not valid", key)
		}
		keys[normalKey(key)] = auth
	}
	return keys, nil
}

// normalKey brings the ways in which docker, podman and Kubernetes write a
// registry to one: https://index.docker.io/v1/, docker.io, quay.io/team.
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

// Resolve implements authn.Keychain: the longest key that leads to the target
// counts.
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
