package index

import "strings"

// Entry holds the fields of one chart version as they are written in the index.
// They are not validated.
type Entry struct {
	Name       string
	Version    string
	AppVersion string
	// URL is the first URL of the chart that is not in an OCI registry, or the first
	// one if all of them are.
	URL        string
	Digest     string
	Created    string
	Deprecated bool
	Removed    bool
}

// entryField identifies a field of an Entry independently of the format of the
// index.
type entryField uint

const (
	noField entryField = iota
	nameField
	versionField
	appVersionField
	urlsField
	digestField
	createdField
	deprecatedField
	removedField
)

// fieldForKey returns the field of a key, or noField if the key is not read.
func fieldForKey(key string) entryField {
	switch key {
	case "name":
		return nameField
	case "version":
		return versionField
	case "appVersion":
		return appVersionField
	case "urls":
		return urlsField
	case "digest":
		return digestField
	case "created":
		return createdField
	case "deprecated":
		return deprecatedField
	case "removed":
		return removedField
	}
	return noField
}

// setField sets a field to a value. The value of urls is one URL.
func (e *Entry) setField(f entryField, value string) (err error) {
	switch f {
	case nameField:
		e.Name = value
	case versionField:
		e.Version = value
	case appVersionField:
		e.AppVersion = value
	case urlsField:
		e.addURL(value)
	case digestField:
		e.Digest = value
	case createdField:
		e.Created = value
	case deprecatedField:
		e.Deprecated, err = parseBool(value)
	case removedField:
		e.Removed, err = parseBool(value)
	}
	return err
}

// addURL sets the URL if there is none yet, or if it replaces one of an OCI
// registry.
func (e *Entry) addURL(url string) {
	if !e.hasURL() && (e.URL == "" || !isOCI(url)) {
		e.URL = url
	}
}

// hasURL reports whether further URLs of the entry are ignored.
func (e *Entry) hasURL() bool { return e.URL != "" && !isOCI(e.URL) }

func isOCI(url string) bool { return strings.HasPrefix(url, "oci://") }

// fieldSet is a set of fields.
type fieldSet uint

func (s *fieldSet) addField(f entryField)     { *s |= 1 << f }
func (s fieldSet) hasField(f entryField) bool { return s&(1<<f) != 0 }
