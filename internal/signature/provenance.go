package signature

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/yamlbounds"
)

// maxProvenanceBytes is the maximum size of the list of digests in a provenance file.
const maxProvenanceBytes = 64 << 10

// maxKeys is the maximum number of keys or certificates of a trust root.
const maxKeys = 100

// endOfKeys ends a block of public keys in ASCII armor.
const endOfKeys = "-----END PGP PUBLIC KEY BLOCK-----"

// documentSeparator separates Chart.yaml from the digests of the files in a provenance file.
const documentSeparator = "\n...\n"

// newProvenanceMethod returns the method for provenance files of Helm.
func newProvenanceMethod(policy hydrate.SignaturePolicy) (method, error) {
	keyring, err := parseKeyring(policy.TrustRoot)
	if err != nil || len(keyring) == 0 {
		return nil, badTrustRoot("is not an OpenPGP keyring: export the public keys with gpg --export")
	}
	return func(_ context.Context, signed hydrate.SignedChart, one hydrate.Signature) (v1alpha1.SignatureVerdict, error) {
		return verifyProvenance(keyring, signed, one)
	}, nil
}

// parseKeyring parses public keys that are binary or in ASCII armor.
func parseKeyring(data []byte) (openpgp.EntityList, error) {
	if !bytes.Contains(data, []byte("-----BEGIN PGP")) {
		return openpgp.ReadKeyRing(bytes.NewReader(data))
	}
	var keyring openpgp.EntityList
	for block := range bytes.SplitAfterSeq(data, []byte(endOfKeys)) {
		if len(bytes.TrimSpace(block)) == 0 || len(keyring) > maxKeys {
			break
		}
		entities, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(block))
		if err != nil {
			return nil, err
		}
		keyring = append(keyring, entities...)
	}
	return keyring, nil
}

// verifyProvenance verifies a provenance file: it must be signed by a key of the keyring, and contain
// the digest of the archive.
func verifyProvenance(keyring openpgp.EntityList, signed hydrate.SignedChart, one hydrate.Signature) (v1alpha1.SignatureVerdict, error) {
	block, rest := clearsign.Decode(one.Content)
	if block == nil {
		return v1alpha1.SignatureVerdict{}, newInvalidError("the provenance file is not a signed text of OpenPGP")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return v1alpha1.SignatureVerdict{}, newInvalidError("the provenance file has text after the signature")
	}
	signer, err := block.VerifySignature(keyring, nil)
	switch {
	case errors.Is(err, pgperrors.ErrUnknownIssuer):
		return v1alpha1.SignatureVerdict{}, newMismatchError("the key of the provenance file is not in the keyring")
	case errors.Is(err, pgperrors.ErrKeyExpired), errors.Is(err, pgperrors.ErrSignatureExpired):
		return v1alpha1.SignatureVerdict{}, newInvalidError("the key or the signature of the provenance file has expired")
	case err != nil:
		return v1alpha1.SignatureVerdict{}, newInvalidError("the provenance file was changed after it was signed, or its key is revoked or too weak")
	}
	digests, err := provenanceDigests(block.Plaintext)
	if err != nil {
		return v1alpha1.SignatureVerdict{}, err
	}
	if !slices.Contains(digests, signed.Digest) {
		return v1alpha1.SignatureVerdict{}, newInvalidError("the provenance file is for another archive")
	}
	return v1alpha1.SignatureVerdict{Identity: fmt.Sprintf("%X", signer.PrimaryKey.Fingerprint)}, nil
}

// provenanceDigests returns the digests in the text of a provenance file.
func provenanceDigests(plain []byte) ([]string, error) {
	_, list, found := bytes.Cut(plain, []byte(documentSeparator))
	if !found || yamlbounds.CheckText(list, maxProvenanceBytes) != nil {
		return nil, newInvalidError("the provenance file does not contain the digests of files")
	}
	var document struct {
		Files map[string]string `json:"files"`
	}
	if yaml.Unmarshal(list, &document) != nil {
		return nil, newInvalidError("the provenance file does not contain the digests of files")
	}
	var digests []string
	for _, digest := range document.Files {
		digests = append(digests, digest)
	}
	return digests, nil
}
