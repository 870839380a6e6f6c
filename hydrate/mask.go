package hydrate

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/internal/objects"
)

// minMasked is the minimum length, in bytes, of a platform value that is masked within
// other text. A shorter value, such as "80" or "on", is part of too many words and is
// masked only if it is a whole value.
const minMasked = 4

// unmaskedFields contains the field names that are never masked, so that the structure of an
// object remains readable. The values of apiVersion and kind are not masked either.
var unmaskedFields = map[string]bool{
	"apiVersion": true, "kind": true, "metadata": true, "name": true, "namespace": true, "spec": true, "items": true,
}

// masker masks the platform values in published texts.
type masker struct {
	// whole contains all values. parts replaces long values in the forms that charts use.
	whole map[string]bool
	parts *strings.Replacer
}

// newMasker returns a masker for all strings and numbers in the values of a platform.
// Booleans are not masked because they do not reveal anything.
func newMasker(platform map[string]any) masker {
	m := masker{whole: map[string]bool{}}
	var parts []string
	eachScalar(platform, func(value string) {
		for _, form := range []string{value, strings.TrimSpace(value)} {
			m.whole[form] = form != ""
			parts = append(parts, formsOf(form)...)
		}
	})
	// A replacer uses the first of several matches at the same position, so sort by length.
	slices.SortFunc(parts, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	var replaced []string
	for _, part := range slices.Compact(parts) {
		if len(part) >= minMasked {
			replaced = append(replaced, part, masked)
		}
	}
	m.parts = strings.NewReplacer(replaced...)
	return m
}

// eachScalar calls take with each string and number in values.
func eachScalar(values any, take func(string)) {
	switch values := values.(type) {
	case map[string]any:
		for _, inner := range values {
			eachScalar(inner, take)
		}
	case []any:
		for _, inner := range values {
			eachScalar(inner, take)
		}
	case nil, bool:
	default:
		take(renderedText(values))
	}
}

// renderedText returns a scalar in the form in which templates render it.
func renderedText(value any) string {
	if number, ok := value.(float64); ok && number == float64(int64(number)) {
		return fmt.Sprint(int64(number))
	}
	return fmt.Sprint(value)
}

// formsOf returns the forms in which charts write a value as part of a text. The lines of a
// multi-line value are separate forms because charts indent them.
func formsOf(value string) []string {
	if len(value) < minMasked {
		return nil
	}
	forms := []string{value, strings.ToLower(value), url.QueryEscape(value), url.PathEscape(value), escapeJSON(value)}
	for line := range strings.Lines(value) {
		forms = append(forms, strings.TrimSpace(line))
	}
	return forms
}

// escapeJSON returns a text in its JSON-escaped form, without quotes.
func escapeJSON(value string) string {
	quoted, err := json.Marshal(value)
	if err != nil {
		return value
	}
	return strings.Trim(string(quoted), `"`)
}

// maskDocument returns a rendered document with the platform values and the contents of Secrets
// masked. If there is nothing to mask, the text is returned unchanged.
func (m masker) maskDocument(doc objects.Document) (string, error) {
	masked, err := doc.Text, error(nil)
	if doc.MayHoldSecret() {
		masked, err = maskSecret(doc.Text)
	}
	if err != nil || len(m.whole) == 0 {
		return masked, err
	}
	var object any
	if err := yaml.Unmarshal([]byte(masked), &object); err != nil {
		return "", fmt.Errorf("read object: %w", err)
	}
	object, changed := m.maskValue(object)
	if !changed && m.maskParts(masked) == masked {
		return masked, nil
	}
	// The new text has no comments, which may contain values too.
	out, err := yaml.Marshal(object)
	if err != nil {
		return "", fmt.Errorf("write object: %w", err)
	}
	return string(out), nil
}

// maskValue masks the scalars of a value and reports whether it changed any.
func (m masker) maskValue(value any) (any, bool) {
	changed := false
	switch value := value.(type) {
	case map[string]any:
		all := make(map[string]any, len(value))
		typed := value["apiVersion"] != nil && value["kind"] != nil
		for key, inner := range value {
			if typed && (key == "apiVersion" || key == "kind") {
				all[key] = inner
				continue
			}
			name, renamed := key, false
			if !unmaskedFields[key] {
				name, renamed = m.maskScalar(key)
			}
			next, replaced := m.maskValue(inner)
			all[name], changed = next, changed || renamed || replaced
		}
		return all, changed
	case []any:
		for i := range value {
			next, replaced := m.maskValue(value[i])
			value[i], changed = next, changed || replaced
		}
		return value, changed
	case nil, bool:
		return value, false
	}
	if name, replaced := m.maskScalar(renderedText(value)); replaced {
		return name, true
	}
	return value, false
}

// maskScalar masks a text. If the text is a value, or a base64 encoding that contains one, the
// whole text is masked, otherwise only the parts that match.
func (m masker) maskScalar(value string) (string, bool) {
	if m.whole[value] || m.whole[strings.TrimSpace(value)] {
		return masked, true
	}
	if decoded, ok := decodeBase64(value); ok && (m.whole[decoded] || m.maskParts(decoded) != decoded) {
		return masked, true
	}
	next := m.maskParts(value)
	return next, next != value
}

// maskParts masks the values within a text.
func (m masker) maskParts(value string) string { return m.parts.Replace(value) }

// decodeBase64 decodes a text, and reports whether it is valid base64.
func decodeBase64(value string) (string, bool) {
	value = strings.TrimRight(strings.TrimSpace(value), "=")
	if len(value) < 2 {
		return "", false
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if decoded, err := encoding.DecodeString(value); err == nil {
			return string(decoded), true
		}
	}
	return "", false
}
