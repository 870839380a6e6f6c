package source

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

// set gives a field its text; that of urls is the first of them.
func (e *entry) set(f field, text string) (err error) {
	switch f {
	case nameField:
		e.name = text
	case versionField:
		e.version = text
	case appVersionField:
		e.appVersion = text
	case urlsField:
		e.url = text
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

// fields is a set of them.
type fields uint

func (s *fields) add(f field)     { *s |= 1 << f }
func (s fields) has(f field) bool { return s&(1<<f) != 0 }
