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

// Bounds on the texts of an entry, in bytes: they end up in objects and in file
// names.
const (
	maxName       = 200
	maxVersion    = 128
	maxURL        = 2048
	maxAppVersion = 256
)

// ranked is an offer with its version parsed, to be sorted by it.
type rankedOffer struct {
	version *semver.Version
	offer   hydrate.Offer
}

// rankEntry validates an entry and returns its offer.
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

// compare orders by precedence and then, to have one order for all, by build
// metadata, which has no precedence.
func (r rankedOffer) compareVersion(other rankedOffer) int {
	if c := r.version.Compare(other.version); c != 0 {
		return c
	}
	return strings.Compare(r.version.Metadata(), other.version.Metadata())
}

// checkName accepts what can be part of the name of an object: labels of lower
// case letters, digits and '-', joined by dots (RFC 1123).
func checkName(name string) error {
	if name == "" {
		return errors.New("name is empty")
	}
	if len(name) > maxName {
		return fmt.Errorf("name is longer than %d characters", maxName)
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' || strings.Trim(label, labelLetters) != "" {
			return errors.New("name must be lower case letters, digits, '-' and '.', and begin and end with a letter or digit")
		}
	}
	return nil
}

const labelLetters = "abcdefghijklmnopqrstuvwxyz0123456789-"

// parseVersion takes what Helm takes: a semantic version, possibly with a leading
// "v" or without minor and patch. The strict parser goes first because it is the
// faster one.
func parseVersion(text string) (*semver.Version, error) {
	if text == "" {
		return nil, errors.New("version is empty")
	}
	if len(text) > maxVersion {
		return nil, fmt.Errorf("version is longer than %d characters", maxVersion)
	}
	if version, err := semver.StrictNewVersion(text); err == nil {
		return version, nil
	}
	version, err := semver.NewVersion(text)
	if err != nil {
		return nil, fmt.Errorf("version %q is not a semantic version", text)
	}
	return version, nil
}

func checkURL(text string) error {
	if text == "" {
		return errors.New("no URL is given")
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

// parseDigest reads a SHA-256 in hexadecimal, which an index gives with or
// without its prefix.
func parseDigest(digest string) (string, error) {
	if digest == "" {
		return "", nil
	}
	sum := strings.ToLower(strings.TrimPrefix(digest, "sha256:"))
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != 32 {
		return "", fmt.Errorf("digest %q is not a SHA-256", text.Truncate(digest, 80))
	}
	return "sha256:" + sum, nil
}

// parseTime gives the zero time for what is not a time: nobody should miss an app
// for it.
func parseTime(text string) time.Time {
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return parsed.UTC()
}
