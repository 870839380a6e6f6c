package source

import "strings"

// field is what we read of an entry, whatever the form it is written in.
type field uint

const (
	noField field = iota
	nameField
	versionField
	appVersionField
	urlsField
	digestField
	createdField
	deprecatedField
	removedField
)

func fieldOf(key string) field {
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

// set gives a field its text; that of urls is one of them.
func (e *entry) set(f field, text string) (err error) {
	switch f {
	case nameField:
		e.name = text
	case versionField:
		e.version = text
	case appVersionField:
		e.appVersion = text
	case urlsField:
		e.addURL(text)
	case digestField:
		e.digest = text
	case createdField:
		e.created = text
	case deprecatedField:
		e.deprecated, err = parseBool(text)
	case removedField:
		e.removed, err = parseBool(text)
	}
	return err
}

// addURL takes the first URL, unless it leads to an OCI registry and a later one does
// not.
func (e *entry) addURL(text string) {
	if !e.hasURL() && (e.url == "" || !isOCI(text)) {
		e.url = text
	}
}

// hasURL reports whether no further URL is needed.
func (e *entry) hasURL() bool { return e.url != "" && !isOCI(e.url) }

func isOCI(url string) bool { return strings.HasPrefix(url, "oci://") }

// fields is a set of them.
type fields uint

func (s *fields) add(f field)     { *s |= 1 << f }
func (s fields) has(f field) bool { return s&(1<<f) != 0 }
