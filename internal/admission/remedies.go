package admission

import (
	"cmp"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
)

// UninstallVerb is the RBAC verb that allows an account to have an instance in another
// namespace uninstalled. The permission to create tasks is not used for this purpose,
// because it would allow the account to install any chart with any service account of that
// namespace.
const UninstallVerb = "uninstall"

// installTaskYAML returns, as YAML, a task that installs the app into another namespace,
// together with the namespace and a service account that has the role admin in it. It
// quotes the name of the namespace, because the author of the chart chooses it and an
// administrator applies the text.
func installTaskYAML(o *Operation, namespace string) (string, error) {
	const account = "appmarket-tenant"
	app := o.AppRef
	app.Namespace = cmp.Or(app.Namespace, o.Tenant.Namespace)
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "AppInstallTask",
		"metadata": map[string]any{"name": app.Name, "namespace": namespace},
		"spec":     map[string]any{"action": v1alpha1.ActionInstall, "appRef": app, "serviceAccountName": account},
	})
	if err != nil {
		return "", fmt.Errorf("encode task: %w", err)
	}
	return sharedNamespaceYAML(namespace) + fmt.Sprintf(`---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: %[2]q
  namespace: %[1]q
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: %[2]q
  namespace: %[1]q
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: admin
subjects:
- kind: ServiceAccount
  name: %[2]q
  namespace: %[1]q
---
%[3]s`, namespace, account, text), nil
}

// sharedNamespaceYAML returns, as YAML, a Namespace that may contain a shared chart. It quotes the
// name, because the author of the chart chooses it and an administrator applies the text.
func sharedNamespaceYAML(namespace string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Namespace
metadata:
  name: %q
  labels:
    %s: "true"
`, namespace, v1alpha1.SharedPartsLabel)
}

// UninstallRoleYAML returns, as YAML, a Role and a RoleBinding that allow a tenant to have an
// instance in another namespace uninstalled.
func UninstallRoleYAML(tenant release.Tenant, namespace, instance string) string {
	return instanceRoleYAML(tenant, UninstallVerb, namespace, instance)
}

// AdministerRoleYAML returns, as YAML, a Role and a RoleBinding that allow a tenant to install an
// instance of an app for administrators.
func AdministerRoleYAML(tenant release.Tenant, instance string) string {
	return instanceRoleYAML(tenant, AdministerVerb, tenant.Namespace, instance)
}

// instanceRoleYAML returns, as YAML, a Role and a RoleBinding that grant a verb for an instance to a
// tenant. It quotes all names, because an administrator applies the text.
func instanceRoleYAML(tenant release.Tenant, verb, namespace, instance string) string {
	name := strings.Join([]string{"appmarket", tenant.Namespace, tenant.ServiceAccount, verb, instance}, ":")
	return fmt.Sprintf(`apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: %[1]q
  namespace: %[2]q
rules:
- apiGroups: [%[3]q]
  resources: [appinstances]
  resourceNames: [%[4]q]
  verbs: [%[5]q]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: %[1]q
  namespace: %[2]q
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: %[1]q
subjects:
- kind: ServiceAccount
  name: %[6]q
  namespace: %[7]q
`, name, namespace, v1alpha1.GroupVersion.Group, instance, verb, tenant.ServiceAccount, tenant.Namespace)
}
