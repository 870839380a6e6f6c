package integration_test

import (
	"fmt"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// noteChart is a chart with a ConfigMap that contains the version of the chart.
var noteChart = fixture.Chart{Name: "note", Version: "1.0.0", Files: fixture.Files{"templates/note.yaml": `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-note
data:
  version: {{ .Chart.Version | quote }}
`}}

// indexWith returns an index with these lines below entries.
func indexWith(lines ...string) []byte {
	return []byte("apiVersion: v1\nentries:\n" + strings.Join(lines, "\n") + "\n")
}

// waitSource waits until the source of a tenant fulfills a condition.
func waitSource(ctx SpecContext, t *fixture.Tenant, check func(Gomega, *v1alpha1.MarketSource)) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(t.Client.Get(ctx, client.ObjectKeyFromObject(t.Source), t.Source)).To(Succeed())
		check(g, t.Source)
	}).WithContext(ctx).Should(Succeed())
}

// sourceCondition returns the message of a condition of a source if it has the reason, and
// otherwise the actual conditions.
func sourceCondition(source *v1alpha1.MarketSource, kind, reason string) string {
	for _, c := range source.Status.Conditions {
		if c.Type == kind && c.Reason == reason {
			return c.Message
		}
	}
	return fmt.Sprintf("no condition %s with reason %s: %v", kind, reason, source.Status.Conditions)
}

// requestSync requests an immediate sync of the source.
func requestSync(ctx SpecContext, t *fixture.Tenant, value string) {
	GinkgoHelper()
	t.Kubectl(ctx, "annotate", "marketsource", t.Source.Name, "--namespace", t.Namespace, "--overwrite", v1alpha1.ReconcileRequestAnnotation+"="+value)
}

var _ = Describe("An index with invalid entries", func() {
	const good = "  - {name: note, version: 1.0.0, urls: [note-1.0.0.tgz]}"

	DescribeTable("gets its valid versions published, and the others counted", func(ctx SpecContext, lines []string, counts v1alpha1.AppCounts, messageParts ...string) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.Serve("/note-1.0.0.tgz", noteChart.Archive())
		repository.Serve("/index.yaml", indexWith(lines...))
		t.AddSource(ctx, repository)
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)

		Expect(*t.Source.Status.Apps).To(Equal(counts))
		Expect(t.Names(ctx, "appinfos")).To(Equal([]string{"charts.note"}))
		var messages []string
		for _, failure := range t.Source.Status.Failures {
			messages = append(messages, failure.App+": "+failure.Message)
		}
		Expect(messages).To(HaveLen(len(messageParts)))
		for i, part := range messageParts {
			Expect(messages[i]).To(ContainSubstring(part))
		}
		t.Succeed(ctx, v1alpha1.ActionInstall, "note")

		revision := t.Source.Status.Revision
		t.Sync(ctx)
		Expect(t.Source.Status.Revision).To(Equal(revision))
	},
		Entry("that are null or have no name or version",
			[]string{"  note:", good, "  -", "  - null", "  - {version: 2.0.0}", "  - {name: note}", "  nothing:", "  -"},
			v1alpha1.AppCounts{Total: 2, Offered: 1, Ready: 1, Failed: 1, Skipped: 5},
			`not a mapping of keys to values (2 entries); version "2.0.0" has the name "", which is not the key of the app; version is empty`, "not a mapping"),
		Entry("whose versions are not semantic",
			[]string{"  note:", good, "  - {name: note, version: master, urls: [u]}", "  - {name: note, version: 1.0.0-01, urls: [u]}"},
			v1alpha1.AppCounts{Total: 1, Offered: 1, Ready: 1, Skipped: 2},
			`"master" is not a semantic version`),
		Entry("that are not a mapping",
			[]string{"  note:", good, "  - note", "  - [note]", "  - 7"},
			v1alpha1.AppCounts{Total: 1, Offered: 1, Ready: 1, Skipped: 3},
			"not a mapping of keys to values (3 entries)"),
	)
})

var _ = Describe("An index with more prereleases than maxVersions", func() {
	DescribeTable("provides the newest stable version by default", func(ctx SpecContext, keep int32, offered, served []string) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		for _, version := range offered {
			repository.Add(noteChart.With(version, nil))
		}
		t.AddSource(ctx, repository, func(spec *v1alpha1.MarketSourceSpec) { spec.Filter = &v1alpha1.AppFilter{MaxVersions: keep} })
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)

		app := t.App(ctx, "note")
		var versions []string
		for _, v := range app.Status.Versions {
			versions = append(versions, v.Version)
		}
		Expect(versions).To(Equal(served))
		Expect(app.Status.SelectedVersion).To(Equal("1.3.0"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "note")
		installed := &corev1.ConfigMap{}
		t.Get(ctx, installed, "note-note")
		Expect(installed.Data).To(HaveKeyWithValue("version", "1.3.0"))
	},
		Entry("with four newer prereleases", int32(3),
			[]string{"1.3.0", "1.4.0-beta.1", "1.4.0-beta.2", "1.4.0-rc.1", "1.4.0-rc.2"}, []string{"1.4.0-rc.2", "1.4.0-rc.1", "1.3.0"}),
		Entry("with one newer prerelease, and maxVersions 1", int32(1), []string{"1.4.0-rc.1", "1.3.0"}, []string{"1.3.0"}),
		Entry("with older stable versions", int32(2),
			[]string{"1.1.0", "1.2.0", "1.3.0", "2.0.0-a", "2.0.0-b"}, []string{"2.0.0-b", "1.3.0"}),
	)
})

var _ = Describe("An index with URLs of an OCI registry", func() {
	It("provides the charts in the registry", func(ctx SpecContext) {
		t := newTenant(ctx)
		host := startChartRegistry()
		pushChart(ctx, t, noteChart, host+"/charts")
		repository := fixture.NewRepository()
		repository.Serve("/index.yaml", indexWith(
			"  note:",
			"  - {name: note, version: 1.0.0, urls: ['oci://"+host+"/charts/note']}",
			"  absent:",
			"  - {name: absent, version: 1.0.0, urls: ['oci://"+host+"/charts/absent:1.0.0']}"))
		t.AddSource(ctx, repository)
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)

		Expect(*t.Source.Status.Apps).To(Equal(v1alpha1.AppCounts{Total: 2, Offered: 2, Ready: 1, Failed: 1}))
		Expect(t.WaitStalled(ctx, t.App(ctx, "absent"), v1alpha1.ReasonNotFound)).To(ContainSubstring("/charts/absent:1.0.0: registry returned 404 Not Found"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "note")
	})

	It("provides the next HTTP URL", func(ctx SpecContext) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.Serve("/note-1.0.0.tgz", noteChart.Archive())
		repository.Serve("/index.yaml", indexWith(
			"  note:", "  - {name: note, version: 1.0.0, urls: ['oci://127.0.0.1:1/note', note-1.0.0.tgz]}"))
		t.AddSource(ctx, repository)
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		Expect(t.App(ctx, "note").Status.SelectedVersion).To(Equal("1.0.0"))
	})
})

var _ = Describe("An index with a syntax error", func() {
	const good = "  note:\n  - name: note\n    version: 1.0.0\n    urls: [note-1.0.0.tgz]"

	DescribeTable("keeps the published versions, and reports the line of the error", func(ctx SpecContext, broken []string, line string) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.Serve("/note-1.0.0.tgz", noteChart.Archive())
		repository.Serve("/index.yaml", indexWith(good))
		t.AddSource(ctx, repository)
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)

		repository.Serve("/index.yaml", indexWith(broken...))
		requestSync(ctx, t, "broken")
		waitSource(ctx, t, func(g Gomega, source *v1alpha1.MarketSource) {
			messages := sourceCondition(source, v1alpha1.ConditionIndexed, v1alpha1.ReasonInvalidIndex)
			for _, failure := range source.Status.Failures {
				messages += failure.Message
			}
			g.Expect(messages).To(ContainSubstring(line))
		})
		Expect(t.Fetch(ctx, t.App(ctx, "note").Status.Versions[0].URL)).NotTo(BeEmpty())
		t.Succeed(ctx, v1alpha1.ActionInstall, "note")

		repository.Serve("/index.yaml", indexWith(good))
		t.Sync(ctx)
	},
		Entry("in the indentation of an item", []string{"  bad:", "   - name: bad", "     version: 1.0.0", "  - name: bad", good}, "line 6: a key is expected here"),
		Entry("in the name of an app, which has no colon", []string{good, "  bad", "  - name: bad"}, `line 7: a ":" is missing`),
		Entry("in the indentation of an app", []string{"  bad:", "  - name: bad", "    urls: [u]", strings.ReplaceAll(" "+good, "\n", "\n ")}, "line 6"),
		Entry("in a quoted text, which is not closed", []string{"  bad:", `  - name: "bad`, good}, "line 4: the quoted text that begins here is not closed"),
	)
})

var _ = Describe("A source with a filter that excludes all apps", func() {
	It("is Ready and reports the field", func(ctx SpecContext) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.Add(noteChart, noteChart.With("1.1.0", nil))
		t.AddSource(ctx, repository, func(spec *v1alpha1.MarketSourceSpec) { spec.Filter = &v1alpha1.AppFilter{Include: []string{"shop*"}} })
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		Expect(sourceCondition(t.Source, v1alpha1.ConditionReady, v1alpha1.ReasonReady)).To(Equal("spec.filter.include matches no app of the source (1 app offered); correct the patterns"))
	})
})

var _ = Describe("A source that cannot be reached", func() {
	It("is not retried if its address is not allowed", func(ctx SpecContext) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.Handle("/index.yaml", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
		})
		t.AddSource(ctx, repository)
		message := t.WaitStalled(ctx, t.Source, v1alpha1.ReasonNotAllowed)
		Expect(message).To(ContainSubstring("link-local"))
	})
})

var _ = Describe("An AppInfo that was changed manually", func() {
	It("keeps its name and source, and gets its versions restored on request", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, noteChart)
		patch := func(text string) (string, error) {
			return t.TryKubectl(ctx, nil, "patch", "appinfo", "charts.note", "--namespace", t.Namespace, "--type", "merge", "--patch", text)
		}
		for field, text := range map[string]string{
			"app": `{"spec":{"app":"other"}}`, "sourceRef": `{"spec":{"sourceRef":{"name":"other"}}}`,
		} {
			out, err := patch(text)
			Expect(err).To(HaveOccurred())
			Expect(out).To(ContainSubstring(field + " is immutable"))
		}
		_, err := patch(`{"spec":{"offers":[]}}`)
		Expect(err).NotTo(HaveOccurred())
		requestSync(ctx, t, "edited")
		Eventually(func() []v1alpha1.Offer { return t.App(ctx, "note").Spec.Offers }).WithContext(ctx).Should(HaveLen(1))
		t.WaitTrue(ctx, t.App(ctx, "note"), v1alpha1.ConditionReady)
	})
})
