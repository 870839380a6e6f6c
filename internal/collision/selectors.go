package collision

import (
	"slices"
	"strings"

	"github.com/appmarket/operator/internal/objects"
)

// maxSelections is the maximum number of comparisons of labels with a selector. Above it,
// every selector counts as matching.
const maxSelections = 200_000

// podIndex indexes the labels of an instance's pods by namespace and by each label, so that
// a selector is compared with few pods.
type podIndex map[string][]map[string]string

func (p podIndex) addLabels(namespace string, labels objects.Map) {
	all := plainLabels(labels)
	for key, value := range all {
		at := labelKey(namespace, key, value)
		p[at] = append(p[at], all)
	}
}

func labelKey(namespace, key, value string) string { return namespace + "\x00" + key + "\x00" + value }

func plainLabels(labels objects.Map) map[string]string {
	all := map[string]string{}
	for key, value := range labels {
		name, named := key.(string)
		text, ok := value.(string)
		if named && ok {
			all[name] = text
		}
	}
	return all
}

// addSelectors adds the selector of each Service. If the pods of two instances have the
// same labels, a Service of one instance also selects the pods of the other instance and
// sends client requests to them, even if all names differ. Services that select no pods of
// the instance are skipped: they refer to something that is shared intentionally.
func (f *ClaimSet) addSelectors(found []placedObject, pods podIndex) {
	left := maxSelections
	for _, o := range found {
		selector := plainLabels(o.MapAt("spec").MapAt("selector"))
		if o.Group() != "" || o.Kind() != "Service" || len(selector) == 0 {
			continue
		}
		words := make([]string, 0, len(selector))
		for key, value := range selector {
			words = append(words, key+"="+value)
		}
		slices.Sort(words)
		if !pods.hasMatch(o.namespace, selector, words[0], &left) {
			continue
		}
		key := strings.Join(append([]string{"selector", o.namespace}, words...), "\x00")
		f.addClaim(key, claim{who: o.kindAndName(), thing: "Pods labeled " + strings.Join(words, ", "), follows: f.nameKey(o)})
	}
}

// hasMatch reports whether a selector matches one of the pods. It compares only the pods that
// have label, a label of the selector in the form key=value.
func (p podIndex) hasMatch(namespace string, selector map[string]string, label string, left *int) bool {
	key, value, _ := strings.Cut(label, "=")
	return slices.ContainsFunc(p[labelKey(namespace, key, value)], func(labels map[string]string) bool {
		if *left--; *left < 0 {
			return true
		}
		for key, value := range selector {
			if labels[key] != value {
				return false
			}
		}
		return true
	})
}
