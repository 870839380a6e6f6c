package registry

import (
	"errors"

	"github.com/google/go-containerregistry/pkg/authn"
)

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
