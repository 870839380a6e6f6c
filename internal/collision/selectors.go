package collision

import (
	"slices"
	"strings"

	"github.com/appmarket/operator/internal/objects"
)

// maxSelections bounds how often labels are compared with a selector. Beyond it
// every selector counts as one that selects something.
const maxSelections = 200_000

// podIndex are the labels of the pods that an instance brings, by namespace and by
// each of their labels, so that few are compared with a selector.
type podIndex map[string][]map[string]string

func (p podIndex) add(namespace string, labels objects.Map) {
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

// addSelectors notes by which labels each Service finds its pods. A Service of one
// instance would also find the pods of the other if these bear the same labels,
// and send them its clients, whatever their names are. Services for pods that the
// instance does not bring are left out: they point to something shared on purpose.
func (f *Footprint) addSelectors(found []placedObject, pods podIndex) {
	left := maxSelections
	for _, o := range found {
		selector := plainLabels(o.At("spec").At("selector"))
		if o.Group() != "" || o.Kind() != "Service" || len(selector) == 0 {
			continue
		}
		words := make([]string, 0, len(selector))
		for key, value := range selector {
			words = append(words, key+"="+value)
		}
		slices.Sort(words)
		if !pods.has(o.namespace, selector, words[0], &left) {
			continue
		}
		key := strings.Join(append([]string{"selector", o.namespace}, words...), "\x00")
		f.add(key, claim{who: o.title(), thing: "pods labelled " + strings.Join(words, ", "), follows: f.nameKey(o)})
	}
}

// has reports whether a selector selects one of the pods, looking among those that
// have one of its labels, which is given as key=value.
func (p podIndex) has(namespace string, selector map[string]string, label string, left *int) bool {
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
