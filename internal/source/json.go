package source

import (
	"encoding/json"
	"errors"
	"io"
)

// jsonEntry is one chart version of an index in JSON.
type jsonEntry struct {
	Name       string   `json:"name"`
	Version    string   `json:"version"`
	AppVersion string   `json:"appVersion"`
	URLs       []string `json:"urls"`
	Digest     string   `json:"digest"`
	Created    string   `json:"created"`
	Deprecated bool     `json:"deprecated"`
	Removed    bool     `json:"removed"`
}

func (j jsonEntry) entry() entry {
	e := entry{
		name: j.Name, version: j.Version, appVersion: j.AppVersion,
		digest: j.Digest, created: j.Created, deprecated: j.Deprecated, removed: j.Removed,
	}
	for _, url := range j.URLs {
		e.addURL(url)
	}
	return e
}

// jsonReader reads an index in JSON value by value. What is not as expected is a
// layoutError: JSON is YAML too, and so may be what only looks like JSON.
type jsonReader struct {
	*json.Decoder
	leash      *leash
	shelf      *shelf
	hasVersion bool
	hasEntries bool
}

func newJSONReader(r io.Reader, shelf *shelf) *jsonReader {
	leash := &leash{in: r}
	return &jsonReader{Decoder: json.NewDecoder(leash), leash: leash, shelf: shelf}
}

func (r *jsonReader) read() error {
	return r.each('{', func() error {
		key, err := r.key()
		if err != nil {
			return err
		}
		switch key {
		case "apiVersion":
			var text string
			err = r.value(&text)
			r.hasVersion = text != ""
			return err
		case "entries":
			r.hasEntries = true
			return r.each('{', r.app)
		}
		var unread json.RawMessage
		return r.value(&unread)
	})
}

func (r *jsonReader) app() error {
	name, err := r.key()
	if err != nil {
		return err
	}
	return r.each('[', func() error {
		var e jsonEntry
		err := r.value(&e)
		_, mistyped := errors.AsType[*json.UnmarshalTypeError](err)
		switch {
		case err != nil && !mistyped:
			return err
		case !r.shelf.wants(name):
			return nil
		case mistyped:
			r.shelf.skip(name, r.shelf.reason, errors.New("read entry: a value is not of the right type"))
			return nil
		}
		return r.shelf.add(name, e.entry())
	})
}

// each calls one for every member of an object or list; null has none.
func (r *jsonReader) each(open json.Delim, one func() error) error {
	r.leash.loosen()
	token, err := r.Token()
	if err != nil || token == nil {
		return err
	}
	if token != open {
		return &layoutError{what: "not an index in JSON"}
	}
	for r.More() {
		if err := one(); err != nil {
			return err
		}
	}
	_, err = r.Token()
	return err
}

func (r *jsonReader) key() (string, error) {
	r.leash.loosen()
	token, err := r.Token()
	if err != nil {
		return "", err
	}
	key, ok := token.(string)
	if !ok {
		return "", &layoutError{what: "not a key in JSON"}
	}
	return key, nil
}

func (r *jsonReader) value(into any) error {
	r.leash.loosen()
	return r.Decode(into)
}

// leash bounds how much is read for one value, since the decoder holds all of it.
type leash struct {
	in   io.Reader
	left int
}

var errValueTooLarge = errors.New("a value in the index is too large")

// loosen lets another value be read.
func (l *leash) loosen() { l.left = maxEntry }

func (l *leash) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errValueTooLarge
	}
	n, err := l.in.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}
