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
func readDockerConfig(content []byte) (keychain, error) {
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

// Resolve implements authn.Keychain.
func (k keychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	if auth, ok := k.findEntry(target.String()); ok {
		return authn.FromConfig(auth), nil
	}
	return authn.Anonymous, nil
}

// findEntry returns the entry of a repository. The longest matching key is used.
func (k keychain) findEntry(repository string) (authn.AuthConfig, bool) {
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

// FindLogin returns the username and the password that a docker config contains for a repository, such as
// registry.example/charts/web. They are empty if it has none. Errors contain no credentials.
func FindLogin(config []byte, repository string) (username, password string, err error) {
	keys, err := readDockerConfig(config)
	if err != nil {
		return "", "", err
	}
	entry, _ := keys.findEntry(normalKey(repository))
	return entry.Username, entry.Password, nil
}

// userKeychain returns the credentials in the docker config of the user who runs the program, and of its credential
// helpers. Its errors contain no output of a helper, which can be a credential.
type userKeychain struct{}

var errUserCredentials = errors.New("the docker config or its credential helper cannot be read; run docker login")

// Resolve implements authn.Keychain.
func (userKeychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	found, err := authn.DefaultKeychain.Resolve(target)
	if err != nil {
		return nil, errUserCredentials
	}
	return found, nil
}
