package argohealth

import (
	"testing"
	"time"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// requestTimes are the fields in which actions write the present time.
var requestTimes = [][]string{
	{"metadata", "annotations", "appmarket.io/reconcile-requested-at"},
	{"spec", "restartRequestedAt"},
}

type actionTests struct {
	DiscoveryTests []struct {
		InputPath string                    `json:"inputPath"`
		Result    []v1alpha1.ResourceAction `json:"result"`
	} `json:"discoveryTests"`
	ActionTests []struct {
		Action             string `json:"action"`
		InputPath          string `json:"inputPath"`
		ExpectedOutputPath string `json:"expectedOutputPath"`
	} `json:"actionTests"`
}

func TestDiscovery(t *testing.T) {
	vm := lua.VM{ResourceOverrides: overrides(t)}
	for _, kind := range kinds {
		for _, test := range read[actionTests](NewWithT(t), scripts(kind, "actions", "action_test.yaml")).DiscoveryTests {
			t.Run(kind+"/"+test.InputPath, func(t *testing.T) {
				g := NewWithT(t)
				o := object(g, scripts(kind, "actions", test.InputPath))
				found, err := vm.GetResourceActionDiscovery(o)
				g.Expect(err).NotTo(HaveOccurred())
				offered, err := vm.ExecuteResourceActionDiscovery(o, found)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(offered).To(ConsistOf(test.Result))
			})
		}
	}
}

func TestActions(t *testing.T) {
	vm := lua.VM{ResourceOverrides: overrides(t)}
	for _, kind := range kinds {
		for _, test := range read[actionTests](NewWithT(t), scripts(kind, "actions", "action_test.yaml")).ActionTests {
			t.Run(kind+"/"+test.Action+"/"+test.InputPath, func(t *testing.T) {
				g := NewWithT(t)
				o := object(g, scripts(kind, "actions", test.InputPath))
				action, err := vm.GetResourceAction(o, test.Action)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(action.ActionLua).NotTo(BeEmpty())
				made, err := vm.ExecuteResourceAction(o, action.ActionLua, nil)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(made).To(HaveLen(1))
				g.Expect(made[0].K8SOperation).To(Equal(lua.PatchOperation))
				want := object(g, scripts(kind, "actions", test.ExpectedOutputPath))
				replaceRequestTimes(g, made[0].UnstructuredObj, want)
				g.Expect(toJSON(g, made[0].UnstructuredObj)).To(MatchJSON(toJSON(g, want)))
			})
		}
	}
}

// replaceRequestTimes replaces the times of requests that the action has just made by the times of the expected
// object. A time that is not now is not replaced, so that the comparison fails.
func replaceRequestTimes(g Gomega, changed, want *unstructured.Unstructured) {
	for _, field := range requestTimes {
		requested, isRequested, err := unstructured.NestedString(changed.Object, field...)
		g.Expect(err).NotTo(HaveOccurred())
		expected, isExpected, err := unstructured.NestedString(want.Object, field...)
		g.Expect(err).NotTo(HaveOccurred())
		at, err := time.Parse(time.RFC3339, requested)
		if !isRequested || !isExpected || err != nil || time.Since(at).Abs() > time.Minute {
			continue
		}
		g.Expect(unstructured.SetNestedField(changed.Object, expected, field...)).To(Succeed())
	}
}

// toJSON returns an object as JSON, which makes numbers of different types comparable.
func toJSON(g Gomega, o *unstructured.Unstructured) []byte {
	text, err := o.MarshalJSON()
	g.Expect(err).NotTo(HaveOccurred())
	return text
}
