package catalog_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
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

func newCountingCatalog(t *testing.T, content map[string]string) (catalogFixture, *countingWorker, *lookingCluster) {
	t.Helper()
	s := newCatalogFixture(t, content)
	worker, cluster := &countingWorker{Worker: s.Worker}, &lookingCluster{kinds: []string{"v1"}}
	s.Worker, s.Cluster = worker, cluster
	return s, worker, cluster
}

// newInstallRequest returns a wish to install the app as an instance.
func newInstallRequest(instance string) catalog.Request {
	return catalog.Request{
		At: hydrate.InstallTarget{Namespace: "demo", Instance: instance}, Values: map[string]any{"by": "tenant"}, Envs: map[string]string{},
		Tenant: release.Tenant{Namespace: "demo", ServiceAccount: "installer"},
	}
}

func TestWhatWasPreparedAheadIsUsedOnce(t *testing.T) {
	g := NewWithT(t)
	s, worker, _ := newCountingCatalog(t, plainInputs())
	made, err := s.PrepareAhead(t.Context(), s.app, s.version, newInstallRequest("web"))
	g.Expect(err).NotTo(HaveOccurred())
	used, err := s.Prepare(t.Context(), s.app, s.version, newInstallRequest("web"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(used).To(BeIdenticalTo(made))
	g.Expect(worker.rendered).To(Equal(1))
	_, err = s.Prepare(t.Context(), s.app, s.version, newInstallRequest("web"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(worker.rendered).To(Equal(2), "once only")
}

func TestWhatWasPreparedAheadIsUsedForTheSameOnly(t *testing.T) {
	for why, change := range map[string]func(*catalogFixture, *catalog.Request, *lookingCluster){
		"another instance": func(_ *catalogFixture, w *catalog.Request, _ *lookingCluster) { w.At.Instance = "other" },
		"another tenant":   func(_ *catalogFixture, w *catalog.Request, _ *lookingCluster) { w.Tenant.ServiceAccount = "other" },
		"other values": func(_ *catalogFixture, w *catalog.Request, _ *lookingCluster) {
			w.Values = map[string]any{"by": "other"}
		},
		"another input": func(_ *catalogFixture, w *catalog.Request, _ *lookingCluster) { w.Envs["THEME"] = "dark" },
		"another supply": func(_ *catalogFixture, w *catalog.Request, _ *lookingCluster) {
			w.Defaults = newDefaultInputs(true, "REGION", "there")
		},
		"a credential": func(_ *catalogFixture, w *catalog.Request, _ *lookingCluster) { w.Credential = "token" },
		"an upgrade": func(_ *catalogFixture, w *catalog.Request, _ *lookingCluster) {
			w.Releases = map[string]hydrate.ReleaseRevision{"web": {Upgrade: true, Number: 2}}
		},
		"a new kind of the cluster": func(_ *catalogFixture, _ *catalog.Request, c *lookingCluster) { c.kinds = append(c.kinds, "apps/v1") },
		"another value of the platform": func(s *catalogFixture, _ *catalog.Request, _ *lookingCluster) {
			s.app.Source.Spec.Platform.Values.Raw = []byte(`{"zone": "south"}`)
		},
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			s, worker, cluster := newCountingCatalog(t, plainInputs())
			_, err := s.PrepareAhead(t.Context(), s.app, s.version, newInstallRequest("web"))
			g.Expect(err).NotTo(HaveOccurred())
			wish := newInstallRequest("web")
			change(&s, &wish, cluster)
			_, err = s.Prepare(t.Context(), s.app, s.version, wish)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(worker.rendered).To(Equal(2))
			_, err = s.Prepare(t.Context(), s.app, s.version, newInstallRequest("web"))
			g.Expect(err).NotTo(HaveOccurred())
		})
	}
}

func TestWhatWasPreparedAheadIsNotKept(t *testing.T) {
	looking := plainInputs()
	looking["templates/looks.yaml"] = "{{ $found := lookup \"v1\" \"Secret\" \"demo\" \"there\" }}{{ if $found }}a: b{{ end }}"
	large := plainInputs()
	large["templates/large.yaml"] = strings.Replace(page, "by: {{ .Values.by | default \"none\" }}", "by: {{ repeat 3000000 \"x\" }}", 1)
	for why, content := range map[string]map[string]string{"with objects that were looked up": looking, "if it is large": large} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			s, worker, _ := newCountingCatalog(t, content)
			for range 2 {
				_, err := s.PrepareAhead(t.Context(), s.app, s.version, newInstallRequest("web"))
				g.Expect(err).NotTo(HaveOccurred())
			}
			_, err := s.Prepare(t.Context(), s.app, s.version, newInstallRequest("web"))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(worker.rendered).To(Equal(3))
		})
	}
}

func TestPlansThatAreNotUsedMakeRoom(t *testing.T) {
	g := NewWithT(t)
	s, worker, _ := newCountingCatalog(t, plainInputs())
	const many = 100
	for i := range many {
		_, err := s.PrepareAhead(t.Context(), s.app, s.version, newInstallRequest(fmt.Sprint("web-", i)))
		g.Expect(err).NotTo(HaveOccurred())
	}
	_, err := s.Prepare(t.Context(), s.app, s.version, newInstallRequest(fmt.Sprint("web-", many-1)))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(worker.rendered).To(Equal(many), "the newest is kept")
	_, err = s.Prepare(t.Context(), s.app, s.version, newInstallRequest("web-0"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(worker.rendered).To(Equal(many+1), "the oldest is not")
}
