package release

import "strings"

// IsCustomGroup reports whether an API group belongs to somebody other than Kubernetes,
// by the convention that names with the suffix k8s.io, and names without a dot, are
// reserved. Only a custom controller decides what objects of such a group own.
func IsCustomGroup(group string) bool {
	return strings.Contains(group, ".") && !strings.HasSuffix(group, ".k8s.io")
}
