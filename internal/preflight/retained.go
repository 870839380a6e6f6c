package preflight

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// retainedClaims returns the names of the retained PersistentVolumeClaims in the tenant's
// namespace, which the app reuses.
func retainedClaims(w Request) map[string]bool {
	names := map[string]bool{}
	for _, ref := range w.Retained {
		if ref.Kind == "PersistentVolumeClaim" && ref.Namespace == w.Tenant.Namespace {
			names[ref.Name] = true
		}
	}
	return names
}

// newClaimCount returns the number of PersistentVolumeClaims that a claim creates.
func (d *Requirements) newClaimCount(c *claimSpec, facts *Facts) int64 {
	if len(d.retained) == 0 || d.objectNamespace(c.object, facts) != d.request.Tenant.Namespace {
		return c.copies
	}
	kept := int64(0)
	for name := range d.retained {
		if c.matchesClaim(name) {
			kept++
		}
	}
	return max(0, c.copies-kept)
}

// matchesClaim reports whether the claim creates or reuses a PersistentVolumeClaim with this
// name. For a StatefulSet, the name consists of the template, the StatefulSet and an
// ordinal.
func (c *claimSpec) matchesClaim(name string) bool {
	if c.object.isKind(corev1.SchemeGroupVersion, "PersistentVolumeClaim") {
		return name == c.object.name
	}
	number, ok := strings.CutPrefix(name, c.spec.Name+"-"+c.object.name+"-")
	if !ok {
		return false
	}
	ordinal, err := strconv.ParseUint(number, 10, 31)
	return err == nil && int64(ordinal) >= c.first && int64(ordinal)-c.first < c.copies
}
