package sourcebuilder

import (
	"encoding/json"
	"fmt"
	"slices"

	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
)

// ListingChange is a change of the listing of an app.
type ListingChange struct {
	// Command is the name of the command of the kubectl plugin, and Verb the RBAC verb for AppInfos that
	// the user needs in addition to patch.
	Command, Verb string
	Listing       v1alpha1.Listing
}

// ListingChanges are the changes of the listing of an app.
var ListingChanges = []ListingChange{
	{"approve", "approve", v1alpha1.ListingListed},
	{"suspend", "suspend", v1alpha1.ListingSuspended},
	{"withdraw", "withdraw", v1alpha1.ListingWithdrawn},
	{"draft", "approve", v1alpha1.ListingDraft},
}

// FindListingChange returns the change with the name of a command, and whether there is one.
func FindListingChange(command string) (ListingChange, bool) {
	i := slices.IndexFunc(ListingChanges, func(c ListingChange) bool { return c.Command == command })
	if i < 0 {
		return ListingChange{}, false
	}
	return ListingChanges[i], true
}

// Patch returns the merge patch of an AppInfo as YAML.
func (c ListingChange) Patch() (string, error) {
	text, err := yaml.Marshal(map[string]any{"spec": map[string]any{"listing": c.Listing}})
	if err != nil {
		return "", fmt.Errorf("write patch: %w", err)
	}
	return string(text), nil
}

// KubectlCommand returns the command of kubectl for an AppInfo.
func (c ListingChange) KubectlCommand(namespace, name string) (string, error) {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"listing": c.Listing}})
	if err != nil {
		return "", fmt.Errorf("write patch: %w", err)
	}
	return "kubectl patch appinfo " + name + " -n " + namespace + " --type=merge -p '" + string(patch) + "'", nil
}

// PluginCommand returns the command of the kubectl plugin for an app.
func (c ListingChange) PluginCommand(namespace, source, app string) string {
	return taskbuilder.PluginCommand([]string{"review", c.Command, namespace + "/" + source + "/" + app})
}
