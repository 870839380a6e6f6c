package source

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/source/index"
	"github.com/appmarket/operator/internal/text"
)

// Maximum lengths of the texts of an entry in bytes. The texts become part of objects and of
// file names.
const (
	maxName       = 200
	maxVersion    = 128
	maxURL        = 2048
	maxAppVersion = 256
)

// rankedOffer is an offer with its parsed version.
type rankedOffer struct {
	version *semver.Version
	offer   hydrate.Offer
}

// newRankedOffer validates an entry and returns its offer.
func newRankedOffer(e index.Entry) (rankedOffer, error) {
	version, err := parseVersion(e.Version)
	if err != nil {
		return rankedOffer{}, err
	}
	if err := checkURL(e.URL); err != nil {
		return rankedOffer{}, fmt.Errorf("version %q: %w", e.Version, err)
	}
	digest, err := parseDigest(e.Digest)
	if err != nil {
		return rankedOffer{}, fmt.Errorf("version %q: %w", e.Version, err)
	}
	return rankedOffer{version: version, offer: hydrate.Offer{
		Version:    e.Version,
		AppVersion: text.Truncate(e.AppVersion, maxAppVersion),
		URL:        e.URL,
		Digest:     digest,
		Created:    parseTime(e.Created),
		Deprecated: e.Deprecated,
	}}, nil
}

// compareVersion compares the versions of two offers by precedence. Versions of the same
// precedence are compared by their build metadata, so that the order is unambiguous.
func (r rankedOffer) compareVersion(other rankedOffer) int {
	if c := r.version.Compare(other.version); c != 0 {
		return c
	}
	return strings.Compare(r.version.Metadata(), other.version.Metadata())
}

// checkName returns an error if a name cannot be part of the name of an object. It must
// consist of labels of lowercase letters, digits and '-', separated by dots (RFC 1123).
func checkName(name string) error {
	if name == "" {
		return errors.New("name is empty")
	}
	if len(name) > maxName {
		return fmt.Errorf("name is longer than %d characters", maxName)
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' || strings.Trim(label, labelLetters) != "" {
			return errors.New("name must consist of lowercase letters, digits, '-' and '.', and begin and end with a letter or digit")
		}
	}
	return nil
}

const labelLetters = "abcdefghijklmnopqrstuvwxyz0123456789-"

// parseVersion parses a version as Helm does: a semantic version, with or without a leading
// "v", minor and patch. It tries the strict parser first because that is faster.
func parseVersion(text string) (*semver.Version, error) {
	if text == "" {
		return nil, errors.New("version is empty")
	}
	if len(text) > maxVersion {
		return nil, fmt.Errorf("version is longer than %d characters", maxVersion)
	}
	if version, err := parseStrictVersion(text); err == nil {
		return version, nil
	}
	version, err := semver.NewVersion(text)
	if err != nil {
		return nil, fmt.Errorf("version %q is not a semantic version", text)
	}
	return version, nil
}

// parseStrictVersion parses a complete semantic version.
func parseStrictVersion(text string) (*semver.Version, error) { return semver.StrictNewVersion(text) }

// checkURL returns an error if the URL of a chart is invalid or contains credentials.
func checkURL(text string) error {
	if text == "" {
		return errors.New("urls is empty")
	}
	if len(text) > maxURL {
		return fmt.Errorf("URL is longer than %d characters", maxURL)
	}
	parsed, err := url.Parse(text)
	if err != nil {
		return errors.New("URL cannot be parsed")
	}
	if parsed.User != nil {
		return errors.New("URL contains credentials")
	}
	return nil
}

// parseDigest parses a SHA-256 digest in hexadecimal, with or without the prefix "sha256:".
func parseDigest(digest string) (string, error) {
	if digest == "" {
		return "", nil
	}
	sum := strings.ToLower(strings.TrimPrefix(digest, "sha256:"))
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != 32 {
		return "", fmt.Errorf("digest %q is not a SHA-256 digest", text.Truncate(digest, 80))
	}
	return "sha256:" + sum, nil
}

// parseTime parses a time. It returns the zero time if the text is invalid, because the
// version is usable nevertheless.
func parseTime(text string) time.Time {
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return parsed.UTC()
}
