package permissions

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/text"
)

// FileName is the name of the file.
const FileName = "permissions.yaml"

// requiredPermissions are the permissions that a service account needs, by their scope.
type requiredPermissions struct {
	OwnNamespace    []rbacv1.PolicyRule `json:"ownNamespace,omitempty"`
	Cluster         []rbacv1.PolicyRule `json:"cluster,omitempty"`
	OtherNamespaces []namespaceRules    `json:"otherNamespaces,omitempty"`
}

type namespaceRules struct {
	Namespace string              `json:"namespace"`
	Rules     []rbacv1.PolicyRule `json:"rules"`
}

// NewManifest returns permissions.yaml for a version of an app. report is its objects.yaml.
func NewManifest(app *v1alpha1.AppInfo, version string, report []byte) ([]byte, error) {
	documents, err := parseReport(report)
	if err != nil {
		return nil, err
	}
	request := preflight.Request{
		Tenant: release.Tenant{Namespace: hydrate.RenderNamespace, ServiceAccount: "default"}, Instance: app.Spec.App, App: app.Spec.App,
		Units: []preflight.Unit{{Name: app.Spec.App, RenderedIn: hydrate.RenderNamespace, Documents: documents}},
	}
	requirements, err := preflight.ParseRequest(request)
	if err != nil {
		return nil, err
	}
	kinds, assumed := resourcesFor(requirements)
	facts := &preflight.Facts{Kinds: kinds}
	roles, bindings := requirements.Grants(facts)
	required := sortByScope(requirements.RulesByNamespace(facts))

	var out bytes.Buffer
	fmt.Fprintf(&out, "# Permissions of an app, with its default values. The namespace of the instance is %q.\n", hydrate.RenderNamespace)
	write := func(comment, field string, value any) {
		if err != nil {
			return
		}
		if comment != "" {
			fmt.Fprintf(&out, "\n# %s\n", comment)
		}
		var encoded []byte
		encoded, err = yaml.Marshal(map[string]any{field: value})
		out.Write(encoded)
	}
	write("", "app", strings.Join([]string{app.Namespace, app.Spec.SourceRef.Name, app.Spec.App}, "/"))
	write("", "version", version)
	write("The roles that the app creates, and the bindings of roles to subjects.", "roles", roles)
	write("", "bindings", bindings)
	write("The permissions that a service account needs to install, change and uninstall the app, if spec.driftPolicy is\n"+
		"# Ignore. They contain the rules of the roles above, because Kubernetes requires them to create the roles.", "requiredPermissions", required)
	if len(assumed) > 0 {
		write("Resources whose names are assumed: the app uses their kinds and does not define them.", "assumedResources", assumed)
	}
	if problems := requirements.InvalidObjects(); len(problems) > 0 && err == nil {
		write("Objects that are not valid. Their permissions are missing above.", "invalidObjects", messagesOf(problems))
	}
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", FileName, err)
	}
	return out.Bytes(), nil
}

// sortByScope returns the permissions by their scope.
func sortByScope(rules map[string][]rbacv1.PolicyRule) requiredPermissions {
	required := requiredPermissions{OwnNamespace: rules[hydrate.RenderNamespace], Cluster: rules[""]}
	for _, namespace := range slices.Sorted(maps.Keys(rules)) {
		if namespace != "" && namespace != hydrate.RenderNamespace {
			required.OtherNamespaces = append(required.OtherNamespaces, namespaceRules{namespace, rules[namespace]})
		}
	}
	return required
}

// maxMessageBytes is the maximum length of the message about an invalid object.
const maxMessageBytes = 512

func messagesOf(problems []preflight.Problem) []string {
	var messages []string
	for _, problem := range problems {
		messages = append(messages, text.Printable(problem.Message, maxMessageBytes))
	}
	return messages
}
