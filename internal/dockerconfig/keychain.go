// Package dockerconfig reads the credentials of registries in docker config files, as in a Secret of type
// kubernetes.io/dockerconfigjson. Only auths is read; credential helpers are not run.
package dockerconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// Keychain maps a registry, or a registry and a prefix of a repository, to credentials.
type Keychain map[string]authn.AuthConfig

// Parse parses the auths of a docker config. Empty content results in an empty
// keychain. Errors contain the registry but no credentials.
func Parse(content []byte) (Keychain, error) {
	keys := Keychain{}
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
	if host == "docker.io" || host == "registry-1.docker.io" {
		host = name.DefaultRegistry
	}
	if path == "" {
		return host
	}
	return host + "/" + path
}

// Resolve implements authn.Keychain.
func (k Keychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	if auth, ok := k.findEntry(target.String()); ok {
		return authn.FromConfig(auth), nil
	}
	return authn.Anonymous, nil
}

// findEntry returns the entry of a repository. The longest matching key is used.
func (k Keychain) findEntry(repository string) (authn.AuthConfig, bool) {
	for key := repository; ; {
		if auth, ok := k[key]; ok {
			return auth, true
		}
		cut := strings.LastIndexByte(key, '/')
		if cut < 0 {
			return authn.AuthConfig{}, false
		}
		key = key[:cut]
	}
}

// FindLogin returns the username and the password for a repository, such as registry.example/charts/web. They are
// empty if there are none.
func (k Keychain) FindLogin(repository string) (username, password string) {
	entry, _ := k.findEntry(normalKey(repository))
	return entry.Username, entry.Password
}
