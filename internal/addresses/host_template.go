package addresses

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/appmarket/operator/internal/text"
)

// Placeholders of a host template.
const (
	entrancePlaceholder  = "{entrance}"
	instancePlaceholder  = "{instance}"
	namespacePlaceholder = "{namespace}"
)

var placeholders = []string{entrancePlaceholder, instancePlaceholder, namespacePlaceholder}

// place identifies an entrance in a cluster.
type place struct{ namespace, instance, entrance string }

// HostTemplate is a template for hosts with the placeholders {entrance}, {instance} and
// {namespace}. The zero value is not valid; use ParseHostTemplate.
type HostTemplate struct {
	labels []string
	// isUnique reports whether each placeholder is a label of its own, so that different
	// entrances have different hosts.
	isUnique bool
}

// ParseHostTemplate parses a template, and returns an error if it can result in an invalid host.
func ParseHostTemplate(text string) (HostTemplate, error) {
	t := HostTemplate{labels: strings.Split(text, "."), isUnique: true}
	for _, placeholder := range placeholders {
		t.isUnique = t.isUnique && slices.Contains(t.labels, placeholder)
	}
	for _, label := range t.labels {
		if len(validation.IsDNS1123Label(fillPlaceholders(label, "x"))) > 0 {
			return HostTemplate{}, fmt.Errorf("label %q: must consist of lowercase letters, digits, - and the placeholders %s, and must not start or end with -",
				label, strings.Join(placeholders, ", "))
		}
	}
	longest := len(t.longestHost())
	switch {
	case !isVariable(text):
		return HostTemplate{}, fmt.Errorf("must contain at least one of the placeholders %s", strings.Join(placeholders, ", "))
	case isVariable(t.labels[len(t.labels)-1]):
		return HostTemplate{}, errors.New("must end with a domain, such as apps.example.com")
	case longest > validation.DNS1123SubdomainMaxLength:
		return HostTemplate{}, fmt.Errorf("can result in hosts with %d characters; at most %d are allowed", longest, validation.DNS1123SubdomainMaxLength)
	}
	return t, nil
}

// isVariable reports whether a text contains a placeholder.
func isVariable(text string) bool { return fillPlaceholders(text, "") != text }

// fillPlaceholders replaces each placeholder by a value.
func fillPlaceholders(text, value string) string {
	for _, placeholder := range placeholders {
		text = strings.ReplaceAll(text, placeholder, value)
	}
	return text
}

// longestHost returns a host with the maximum length.
func (t HostTemplate) longestHost() string {
	labels := slices.Clone(t.labels)
	for i, label := range labels {
		if isVariable(label) {
			labels[i] = strings.Repeat("x", validation.DNS1123LabelMaxLength)
		}
	}
	return strings.Join(labels, ".")
}

// hostFor returns the host of an entrance. A label that would be too long is cut and gets a
// digest. If the template does not keep entrance, instance and namespace apart, the first label
// with a placeholder always gets the digest, so that two entrances never have the same host.
func (t HostTemplate) hostFor(at place) string {
	values := strings.NewReplacer(entrancePlaceholder, toLabel(at.entrance), instancePlaceholder, toLabel(at.instance),
		namespacePlaceholder, toLabel(at.namespace))
	digest := digestOf(at.namespace, at.instance, at.entrance)
	isDigested := t.isUnique
	labels := make([]string, len(t.labels))
	for i, label := range t.labels {
		text := values.Replace(label)
		if isVariable(label) && !isDigested || len(text) > validation.DNS1123LabelMaxLength {
			text, isDigested = appendDigest(text, digest), true
		}
		labels[i] = text
	}
	return strings.Join(labels, ".")
}

// digestLength is the length of a digest. Its 80 bits cannot be found again by trying names.
const digestLength = 16

var digestEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// digestOf returns a digest of texts that can be part of a DNS label.
func digestOf(texts ...string) string {
	encoded, _ := json.Marshal(texts) // A list of strings can always be encoded.
	sum := sha256.Sum256(encoded)
	return strings.ToLower(digestEncoding.EncodeToString(sum[:10]))
}

// appendDigest appends a digest to a name, which is cut so that the result is not longer than a
// DNS label.
func appendDigest(name, digest string) string {
	name = strings.Trim(text.Truncate(name, validation.DNS1123LabelMaxLength-digestLength-1), "-")
	if name == "" {
		return digest
	}
	return name + "-" + digest
}

// toLabel returns a name as a DNS label. A name that is not one is cleaned and gets a digest of
// the name, so that the labels of different names differ.
func toLabel(name string) string {
	if len(validation.IsDNS1123Label(name)) == 0 {
		return name
	}
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	return appendDigest(clean, digestOf(name))
}
