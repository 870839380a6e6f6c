package gitops_test

import (
	"os"
	"path/filepath"
	"testing"

	kstatus "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// healthTests is the content of a health_test.yaml in the format of Argo CD's repository.
type healthTests struct {
	Tests []healthTest `json:"tests"`
}

type healthTest struct {
	InputPath    string `json:"inputPath"`
	HealthStatus Health `json:"healthStatus"`
}

// eachHealthTest calls do for each health test of all kinds.
func eachHealthTest(t *testing.T, do func(t *testing.T, o *unstructured.Unstructured, want Health)) {
	for _, kind := range kinds {
		g := NewWithT(t)
		for _, test := range readYAML[healthTests](g, scriptPath(g, kind, "health_test.yaml")).Tests {
			t.Run(kind+"/"+filepath.Base(test.InputPath), func(t *testing.T) {
				o := readObject(NewWithT(t), scriptPath(g, kind, test.InputPath))
				do(t, o, test.HealthStatus)
			})
		}
	}
}

func TestHealth(t *testing.T) {
	r := newReaders(t)
	eachHealthTest(t, func(t *testing.T, o *unstructured.Unstructured, want Health) {
		NewWithT(t).Expect(r.argoHealth(NewWithT(t), o)).To(Equal(want))
	})
}

// TestHealthInOtherTools compares the health in Argo CD with the results of Flux and kstatus for the
// same objects.
func TestHealthInOtherTools(t *testing.T) {
	r := newReaders(t)
	eachHealthTest(t, func(t *testing.T, o *unstructured.Unstructured, _ Health) {
		g := NewWithT(t)
		v := r.readStatuses(g, o)
		if o.GetDeletionTimestamp() != nil {
			g.Expect(v.kstatus).To(Equal(kstatus.TerminatingStatus))
			g.Expect(v.flux).To(Equal(kstatus.InProgressStatus))
			return
		}
		g.Expect(v.doAgree()).To(BeTrue(), "%+v", v)
	})
}

func TestHealthOfEveryKindIsOneText(t *testing.T) {
	g := NewWithT(t)
	for _, kind := range kinds[1:] {
		g.Expect(readText(g, scriptPath(g, kind, "health.lua"))).To(Equal(readText(g, scriptPath(g, kinds[0], "health.lua"))), kind)
	}
}

func TestHealthTestsListEveryState(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			g := NewWithT(t)
			var listed []string
			shown := map[string]bool{}
			for _, test := range readYAML[healthTests](g, scriptPath(g, kind, "health_test.yaml")).Tests {
				listed = append(listed, filepath.Base(test.InputPath))
				shown[test.HealthStatus.Status] = true
			}
			g.Expect(listed).To(ConsistOf(fileNames(g, scriptPath(g, kind, "testdata"))))
			g.Expect(shown).To(And(HaveKey(healthy), HaveKey(progressing), HaveKey(degraded)))
			if kind != "AppInstance" {
				g.Expect(shown).To(HaveKey(suspended), "an instance is stopped, not suspended")
			}
		})
	}
}

// fileNames returns the names of the files in a folder.
func fileNames(g Gomega, folder string) []string {
	entries, err := os.ReadDir(folder)
	g.Expect(err).NotTo(HaveOccurred())
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}
