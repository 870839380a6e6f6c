package installplan

import (
	"context"
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/release"
)

// countingWorker counts its calls of Prepare.
type countingWorker struct {
	hydrate.Worker
	rendered int
}

func (w *countingWorker) Prepare(ctx context.Context, p hydrate.Preparation) (*hydrate.Prepared, error) {
	w.rendered++
	return w.Worker.Prepare(ctx, p)
}

// lookingCluster supplies kinds and has no objects.
type lookingCluster struct{ kinds []string }

func (c *lookingCluster) Capabilities(context.Context) (*hydrate.Capabilities, error) {
	return &hydrate.Capabilities{KubeVersion: "v1.36.0", APIVersions: c.kinds}, nil
}

func (c *lookingCluster) Lookup(release.Tenant) hydrate.Lookup {
	return func(context.Context, hydrate.LookupQuery) (map[string]any, error) { return nil, nil }
}

func newCountingPlanner(t *testing.T, content map[string]string) (planFixture, *countingWorker, *lookingCluster) {
	t.Helper()
	s := newPlanFixture(t, content)
	worker, cluster := &countingWorker{Worker: s.Worker}, &lookingCluster{kinds: []string{"v1"}}
	s.Worker, s.Cluster = worker, cluster
	return s, worker, cluster
}

// newInstallPlan returns a plan to install the app as an instance.
func (f planFixture) newInstallPlan(instance string) *Plan {
	plan := f.newPlan(settings{values: map[string]any{"by": "tenant"}, inputs: map[string]string{}})
	plan.Instance = instance
	return plan
}

func TestWhatWasRenderedAheadIsUsedOnce(t *testing.T) {
	g := NewWithT(t)
	s, worker, _ := newCountingPlanner(t, plainInputs())
	made, err := s.newInstallPlan("web").RenderAhead(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	used, err := s.newInstallPlan("web").Render(t.Context(), nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(used).To(BeIdenticalTo(made))
	g.Expect(worker.rendered).To(Equal(1))
	_, err = s.newInstallPlan("web").Render(t.Context(), nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(worker.rendered).To(Equal(2), "once only")
}

func TestWhatWasRenderedAheadIsUsedForTheSameOnly(t *testing.T) {
	for why, change := range map[string]func(*planFixture, *Plan, *lookingCluster){
		"another instance": func(_ *planFixture, w *Plan, _ *lookingCluster) { w.Instance = "other" },
		"another tenant":   func(_ *planFixture, w *Plan, _ *lookingCluster) { w.Tenant.ServiceAccount = "other" },
		"other values": func(_ *planFixture, w *Plan, _ *lookingCluster) {
			w.settings.values = map[string]any{"by": "other"}
		},
		"another input": func(_ *planFixture, w *Plan, _ *lookingCluster) { w.settings.inputs["THEME"] = "dark" },
		"another supply": func(_ *planFixture, w *Plan, _ *lookingCluster) {
			w.settings.supplied = newSuppliedInputs(true, "REGION", "there")
		},
		"a credential":              func(_ *planFixture, w *Plan, _ *lookingCluster) { w.settings.credential = "token" },
		"a new kind of the cluster": func(_ *planFixture, _ *Plan, c *lookingCluster) { c.kinds = append(c.kinds, "apps/v1") },
		"another value of the platform": func(s *planFixture, _ *Plan, _ *lookingCluster) {
			s.app.Source.Spec.Platform.Values.Raw = []byte(`{"zone": "south"}`)
		},
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			s, worker, cluster := newCountingPlanner(t, plainInputs())
			_, err := s.newInstallPlan("web").RenderAhead(t.Context())
			g.Expect(err).NotTo(HaveOccurred())
			plan := s.newInstallPlan("web")
			change(&s, plan, cluster)
			_, err = plan.Render(t.Context(), nil)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(worker.rendered).To(Equal(2))
			_, err = s.newInstallPlan("web").Render(t.Context(), nil)
			g.Expect(err).NotTo(HaveOccurred())
		})
	}
}

func TestWhatWasRenderedAheadIsNotKept(t *testing.T) {
	looking := plainInputs()
	looking["templates/looks.yaml"] = "{{ $found := lookup \"v1\" \"Secret\" \"demo\" \"there\" }}{{ if $found }}a: b{{ end }}"
	large := plainInputs()
	large["templates/large.yaml"] = strings.Replace(page, "by: {{ .Values.by | default \"none\" }}", "by: {{ repeat 3000000 \"x\" }}", 1)
	for why, content := range map[string]map[string]string{"with objects that were looked up": looking, "if it is large": large} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			s, worker, _ := newCountingPlanner(t, content)
			for range 2 {
				_, err := s.newInstallPlan("web").RenderAhead(t.Context())
				g.Expect(err).NotTo(HaveOccurred())
			}
			_, err := s.newInstallPlan("web").Render(t.Context(), nil)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(worker.rendered).To(Equal(3))
		})
	}
}

func TestPlansThatAreNotUsedMakeRoom(t *testing.T) {
	g := NewWithT(t)
	s, worker, _ := newCountingPlanner(t, plainInputs())
	const many = 100
	for i := range many {
		_, err := s.newInstallPlan(fmt.Sprint("web-", i)).RenderAhead(t.Context())
		g.Expect(err).NotTo(HaveOccurred())
	}
	_, err := s.newInstallPlan(fmt.Sprint("web-", many-1)).Render(t.Context(), nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(worker.rendered).To(Equal(many), "the newest is kept")
	_, err = s.newInstallPlan("web-0").Render(t.Context(), nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(worker.rendered).To(Equal(many+1), "the oldest is not")
}

func TestWhatWasRenderedAheadIsNotUsedForAnUpgrade(t *testing.T) {
	g := NewWithT(t)
	s, worker, _ := newCountingPlanner(t, plainInputs())
	_, err := s.newInstallPlan("web").RenderAhead(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	_, err = s.newInstallPlan("web").Render(t.Context(), map[string]hydrate.ReleaseRevision{"web": {Upgrade: true, Number: 2}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(worker.rendered).To(Equal(2))
}
