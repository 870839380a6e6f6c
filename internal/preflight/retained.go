package preflight

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// retained returns the names of the retained PersistentVolumeClaims in the tenant's
// namespace, which the app reuses.
func retained(w Wish) map[string]bool {
	names := map[string]bool{}
	for _, ref := range w.Retained {
		if ref.Kind == "PersistentVolumeClaim" && ref.Namespace == w.Tenant.Namespace {
			names[ref.Name] = true
		}
	}
	return names
}

// added returns the number of PersistentVolumeClaims that a claim creates.
func (d *Demand) added(c *claim, facts *Facts) int64 {
	if len(d.retained) == 0 || d.place(c.object, facts) != d.wish.Tenant.Namespace {
		return c.copies
	}
	kept := int64(0)
	for name := range d.retained {
		if c.becomes(name) {
			kept++
		}
	}
	return max(0, c.copies-kept)
}

// becomes reports whether the claim creates or reuses a PersistentVolumeClaim with this
// name. For a StatefulSet, the name consists of the template, the StatefulSet and an
// ordinal.
func (c *claim) becomes(name string) bool {
	if c.object.is(corev1.SchemeGroupVersion, "PersistentVolumeClaim") {
		return name == c.object.name
	}
	number, ok := strings.CutPrefix(name, c.spec.Name+"-"+c.object.name+"-")
	if !ok {
		return false
	}
	ordinal, err := strconv.ParseUint(number, 10, 31)
	return err == nil && int64(ordinal) >= c.first && int64(ordinal)-c.first < c.copies
}
