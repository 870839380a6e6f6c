package index

import (
	"encoding/json"
	"errors"
	"io"
)

// jsonEntry is one entry of an index in JSON.
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

func (j jsonEntry) toEntry() Entry {
	e := Entry{
		Name: j.Name, Version: j.Version, AppVersion: j.AppVersion,
		Digest: j.Digest, Created: j.Created, Deprecated: j.Deprecated, Removed: j.Removed,
	}
	for _, url := range j.URLs {
		e.addURL(url)
	}
	return e
}

// jsonReader reads an index in JSON value by value. It returns a layoutError for
// unexpected text: a document that begins like JSON may be valid YAML.
type jsonReader struct {
	*json.Decoder
	limiter    *valueLimiter
	collector  Collector
	hasVersion bool
	hasEntries bool
}

func newJSONReader(r io.Reader, collector Collector) *jsonReader {
	limiter := &valueLimiter{in: r}
	return &jsonReader{Decoder: json.NewDecoder(limiter), limiter: limiter, collector: collector}
}

func (r *jsonReader) decodeIndex() error {
	return r.forEach('{', func() error {
		key, err := r.decodeKey()
		if err != nil {
			return err
		}
		switch key {
		case "apiVersion":
			var text string
			err = r.decodeValue(&text)
			r.hasVersion = text != ""
			return err
		case "entries":
			r.hasEntries = true
			return r.forEach('{', r.decodeApp)
		}
		var skipped json.RawMessage
		return r.decodeValue(&skipped)
	})
}

func (r *jsonReader) decodeApp() error {
	name, err := r.decodeKey()
	if err != nil {
		return err
	}
	return r.forEach('[', func() error {
		var e jsonEntry
		err := r.decodeValue(&e)
		_, mistyped := errors.AsType[*json.UnmarshalTypeError](err)
		switch {
		case err != nil && !mistyped:
			return err
		case !r.collector.Wants(name):
			return nil
		case mistyped:
			r.collector.Skip(name, errors.New("read entry: a value has the wrong type"))
			return nil
		}
		return r.collector.Add(name, e.toEntry())
	})
}

// forEach calls readMember for every member of an object or list. Null has no
// members.
func (r *jsonReader) forEach(open json.Delim, readMember func() error) error {
	r.limiter.resetLimit()
	token, err := r.Token()
	if err != nil || token == nil {
		return err
	}
	if token != open {
		return &layoutError{problem: "not an index in JSON"}
	}
	for r.More() {
		if err := readMember(); err != nil {
			return err
		}
	}
	_, err = r.Token()
	return err
}

func (r *jsonReader) decodeKey() (string, error) {
	r.limiter.resetLimit()
	token, err := r.Token()
	if err != nil {
		return "", err
	}
	key, ok := token.(string)
	if !ok {
		return "", &layoutError{problem: "not a key in JSON"}
	}
	return key, nil
}

func (r *jsonReader) decodeValue(into any) error {
	r.limiter.resetLimit()
	return r.Decode(into)
}

// valueLimiter limits the size of one value, because the decoder stores all of it.
type valueLimiter struct {
	in        io.Reader
	remaining int
}

var errValueTooLarge = errors.New("a value in the index is too large")

// resetLimit allows one more value to be read.
func (l *valueLimiter) resetLimit() { l.remaining = maxEntryBytes }

func (l *valueLimiter) Read(p []byte) (int, error) {
	if l.remaining <= 0 {
		return 0, errValueTooLarge
	}
	n, err := l.in.Read(p[:min(len(p), l.remaining)])
	l.remaining -= n
	return n, err
}
