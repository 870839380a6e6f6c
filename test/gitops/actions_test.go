package gitops_test

import (
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/appmarket/operator/api/v1alpha1"
)

// actionTests is the content of an action_test.yaml in the format of Argo CD's repository.
type actionTests struct {
	DiscoveryTests []discoveryTest `json:"discoveryTests"`
	ActionTests    []actionTest    `json:"actionTests"`
}

type discoveryTest struct {
	InputPath string        `json:"inputPath"`
	Result    []offerAction `json:"result"`
}

type offerAction struct {
	Name     string `json:"name"`
	Disabled bool   `json:"disabled"`
}

type actionTest struct {
	Action             string `json:"action"`
	InputPath          string `json:"inputPath"`
	ExpectedOutputPath string `json:"expectedOutputPath"`
}

func readActionTests(g Gomega, kind string) actionTests {
	return readYAML[actionTests](g, scriptPath(g, kind, "actions", "action_test.yaml"))
}

func TestDiscovery(t *testing.T) {
	for _, kind := range kinds {
		g := NewWithT(t)
		script := readText(g, scriptPath(g, kind, "actions", "discovery.lua"))
		for _, test := range readActionTests(g, kind).DiscoveryTests {
			t.Run(kind+"/"+filepath.Base(test.InputPath), func(t *testing.T) {
				g := NewWithT(t)
				var offered []offerAction
				for name, how := range luaMap(g, readObject(g, scriptPath(g, kind, "actions", test.InputPath)), script) {
					g.Expect(how).To(HaveLen(1))
					offered = append(offered, offerAction{Name: name, Disabled: how.(map[string]any)["disabled"].(bool)})
				}
				g.Expect(offered).To(ConsistOf(test.Result))
			})
		}
	}
}

func TestActions(t *testing.T) {
	for _, kind := range kinds {
		g := NewWithT(t)
		for _, test := range readActionTests(g, kind).ActionTests {
			t.Run(kind+"/"+test.Action+"/"+filepath.Base(test.InputPath), func(t *testing.T) {
				g := NewWithT(t)
				script := readText(g, scriptPath(g, kind, "actions", test.Action, "action.lua"))
				before := readObject(g, scriptPath(g, kind, "actions", test.InputPath))
				after := &unstructured.Unstructured{Object: luaMap(g, before, script)}
				want := readObject(g, scriptPath(g, kind, "actions", test.ExpectedOutputPath))
				copyRequestAnnotation(g, before, after, want)
				copyRestartTime(g, before, after, want)
				g.Expect(after.Object).To(Equal(want.Object))
			})
		}
	}
}

// copyRequestAnnotation copies a reconcile request of the action to the expected object, after it has
// checked that its time is now. It does nothing if the action requested no reconcile.
func copyRequestAnnotation(g Gomega, before, after, want *unstructured.Unstructured) {
	requested := after.GetAnnotations()[v1alpha1.ReconcileRequestAnnotation]
	if requested == before.GetAnnotations()[v1alpha1.ReconcileRequestAnnotation] {
		return
	}
	at, err := time.Parse(time.RFC3339, requested)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(at).To(BeTemporally("~", time.Now(), time.Minute))
	annotations := want.GetAnnotations()
	g.Expect(annotations).To(HaveKey(v1alpha1.ReconcileRequestAnnotation))
	annotations[v1alpha1.ReconcileRequestAnnotation] = requested
	want.SetAnnotations(annotations)
}

// copyRestartTime copies the time of a restart that the action requested to the expected object, after it
// has checked that the time is now. It does nothing if the action requested no restart.
func copyRestartTime(g Gomega, before, after, want *unstructured.Unstructured) {
	field := []string{"spec", "restartRequestedAt"}
	earlier, _, err := unstructured.NestedString(before.Object, field...)
	g.Expect(err).NotTo(HaveOccurred())
	requested, _, err := unstructured.NestedString(after.Object, field...)
	g.Expect(err).NotTo(HaveOccurred())
	if requested == earlier {
		return
	}
	at, err := time.Parse(time.RFC3339, requested)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(at).To(BeTemporally("~", time.Now(), time.Minute))
	_, isExpected, err := unstructured.NestedString(want.Object, field...)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(isExpected).To(BeTrue())
	g.Expect(unstructured.SetNestedField(want.Object, requested, field...)).To(Succeed())
}

// TestEveryActionIsDiscoveredAndTested checks that scripts, discovery and tests contain the same
// actions.
func TestEveryActionIsDiscoveredAndTested(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			g := NewWithT(t)
			offered, enabled, tried := map[string]bool{}, map[string]bool{}, map[string]bool{}
			tests := readActionTests(g, kind)
			for _, test := range tests.DiscoveryTests {
				for _, action := range test.Result {
					offered[action.Name] = true
					enabled[action.Name] = enabled[action.Name] || !action.Disabled
				}
			}
			for _, test := range tests.ActionTests {
				tried[test.Action] = true
			}
			g.Expect(tried).To(Equal(offered))
			g.Expect(enabled).To(Equal(offered), "each action is enabled in a state")
			g.Expect(listActions(g, kind)).To(ConsistOf(sortedKeys(offered)))
		})
	}
}

func sortedKeys(set map[string]bool) []string {
	var all []string
	for key := range set {
		all = append(all, key)
	}
	return all
}
