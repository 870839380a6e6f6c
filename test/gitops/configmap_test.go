package gitops_test

import (
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

const configMapHead = `# Health checks and actions for the kinds of AppMarket: a patch for the ConfigMap of
# Argo CD. Generated from resource_customizations by
#
#   go test ./test/gitops -run TestConfigMap -update
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
data:
`

// TestConfigMap checks that the patch of Argo CD's ConfigMap is generated from the current scripts.
func TestConfigMap(t *testing.T) {
	g := NewWithT(t)
	made := configMapHead
	for _, kind := range kinds {
		made += "  resource.customizations.health.appmarket.io_" + kind + ": |\n"
		made += indentText(readText(g, scriptPath(g, kind, "health.lua")), 4)
	}
	for _, kind := range kinds {
		made += "  resource.customizations.actions.appmarket.io_" + kind + ": |\n"
		made += indentText(actionsEntry(g, kind), 4)
	}
	path := modulePath(g, "config", "argocd", "argocd-cm.yaml")
	if *update {
		g.Expect(os.WriteFile(path, []byte(made), 0o644)).To(Succeed())
	}
	g.Expect(readText(g, path)).To(Equal(made), "run the test with -update")
}

// actionsEntry returns the value from which Argo CD reads the actions of a kind: YAML in a string.
func actionsEntry(g Gomega, kind string) string {
	entry := "discovery.lua: |\n" + indentText(readText(g, scriptPath(g, kind, "actions", "discovery.lua")), 2) + "definitions:\n"
	for _, action := range listActions(g, kind) {
		entry += "  - name: " + action + "\n    action.lua: |\n" +
			indentText(readText(g, scriptPath(g, kind, "actions", action, "action.lua")), 6)
	}
	return entry
}

// listActions returns the sorted actions of a kind.
func listActions(g Gomega, kind string) []string {
	var actions []string
	for _, name := range fileNames(g, scriptPath(g, kind, "actions")) {
		info, err := os.Stat(scriptPath(g, kind, "actions", name))
		g.Expect(err).NotTo(HaveOccurred())
		if info.IsDir() && name != "testdata" {
			actions = append(actions, name)
		}
	}
	return actions
}

func indentText(text string, by int) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			out.WriteString(strings.Repeat(" ", by))
		}
		out.WriteString(line)
	}
	return out.String()
}

// TestConfigMapReads checks that Argo CD reads the scripts from the patch unchanged.
func TestConfigMapReads(t *testing.T) {
	g := NewWithT(t)
	type configMap struct {
		APIVersion string            `json:"apiVersion"`
		Kind       string            `json:"kind"`
		Metadata   map[string]string `json:"metadata"`
		Data       map[string]string `json:"data"`
	}
	data := readYAML[configMap](g, modulePath(g, "config", "argocd", "argocd-cm.yaml")).Data
	g.Expect(data).To(HaveLen(2 * len(kinds)))
	for _, kind := range kinds {
		g.Expect(data["resource.customizations.health.appmarket.io_"+kind]).To(Equal(readText(g, scriptPath(g, kind, "health.lua"))))
		entry := parseYAML[struct {
			Discovery   string              `json:"discovery.lua"`
			Definitions []map[string]string `json:"definitions"`
		}](g, data["resource.customizations.actions.appmarket.io_"+kind])
		g.Expect(entry.Discovery).To(Equal(readText(g, scriptPath(g, kind, "actions", "discovery.lua"))))
		for i, action := range listActions(g, kind) {
			g.Expect(entry.Definitions[i]).To(Equal(map[string]string{
				"name": action, "action.lua": readText(g, scriptPath(g, kind, "actions", action, "action.lua")),
			}))
		}
	}
}
