package release

import "strings"

// IsCustomGroup reports whether an API group does not belong to Kubernetes. By convention,
// names with the suffix k8s.io and names without a dot are reserved. Only the controllers of
// a custom group know which objects its objects own.
func IsCustomGroup(group string) bool {
	return strings.Contains(group, ".") && !strings.HasSuffix(group, ".k8s.io")
}
