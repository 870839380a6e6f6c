package integration_test

import (
	"strings"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/ginkgo/v2"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

var _ = Describe("An archive that another tool created", func() {
	parcelChart := fixture.Chart{Name: "parcel", Version: "1.0.0", Files: fixture.Files{
		"templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n",
	}}
	renamedArchive := func(rename func(string) string) []byte {
		entries := parcelChart.TarEntries()
		for i := range entries {
			entries[i].Name = rename(entries[i].Name)
		}
		return fixture.TarGzip(entries...)
	}

	DescribeTable("is published in the format of Helm, and can be installed", func(ctx SpecContext, rename func(string) string) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.AddArchive("parcel", "1.0.0", renamedArchive(rename))
		t.AddSource(ctx, repository)
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		files, err := chart.Unpack(t.Fetch(ctx, t.App(ctx, "parcel").Status.Versions[0].URL))
		Expect(err).NotTo(HaveOccurred())
		Expect(files).To(HaveExactElements(HaveField("Name", "Chart.yaml"), HaveField("Name", "templates/a.yaml")))
		t.Succeed(ctx, v1alpha1.ActionInstall, "parcel")
		Expect(t.Names(ctx, "configmaps")).To(ContainElement("parcel"))
	},
		Entry("with backslashes", func(name string) string { return strings.ReplaceAll(name, "/", `\`) }),
		Entry("with another folder name", func(name string) string { return strings.Replace(name, "parcel/", "work/", 1) }),
		Entry("with dots and slashes in its paths", func(name string) string { return strings.Replace(name, "/", "/.//x/../", 1) }),
	)

	DescribeTable("is rejected with the path of the entry", func(ctx SpecContext, rename func(string) string, says string) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.AddArchive("parcel", "1.0.0", renamedArchive(rename))
		t.AddSource(ctx, repository)
		app := &v1alpha1.AppInfo{}
		Eventually(func() error {
			return t.Client.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: "charts.parcel"}, app)
		}).WithContext(ctx).Should(Succeed())
		Expect(t.WaitStalled(ctx, app, v1alpha1.ReasonInvalidArchive)).To(ContainSubstring(says))
	},
		Entry("outside of its folder", func(name string) string { return strings.Replace(name, "/templates/", `/../`, 1) }, "../a.yaml"),
		Entry("outside of its folder, with backslashes", func(name string) string { return strings.Replace(name, "parcel/templates/", `parcel\..\`, 1) }, "../a.yaml"),
	)

	It("for Helm 2, without an apiVersion, is published and can be installed", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, parcelChart.With("1.0.0", fixture.Files{"Chart.yaml": "name: parcel\nversion: 1.0.0\nengine: gotpl\n"}))
		t.Succeed(ctx, v1alpha1.ActionInstall, "parcel")
	})

	It("without a required dependency is not published, and the previous version is still served", func(ctx SpecContext) {
		t := newTenant(ctx)
		repository := t.Offer(ctx, parcelChart)
		repository.Add(parcelChart.With("1.1.0", fixture.Files{
			"Chart.yaml": "apiVersion: v2\nname: parcel\nversion: 1.1.0\ndependencies:\n- {name: stamp, version: 1.0.0, repository: 'file://../stamp'}\n",
		}))
		t.Sync(ctx)
		app := t.App(ctx, "parcel")
		Expect(t.WaitStalled(ctx, app, v1alpha1.ReasonNotAllowed)).To(ContainSubstring(`dependency "stamp" 1.0.0`))
		Expect(app.Status.Versions).To(HaveExactElements(HaveField("Version", "1.0.0")))
	})
})
