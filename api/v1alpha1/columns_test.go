package v1alpha1_test

import (
	"context"
	"encoding/json"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// table returns a list of objects as a table, as kubectl requests it from the API server.
func table(ctx context.Context, resource string) *metav1.Table {
	GinkgoHelper()
	clients, err := kubernetes.NewForConfig(server.Config)
	Expect(err).NotTo(HaveOccurred())
	text, err := clients.RESTClient().Get().
		AbsPath("apis", v1alpha1.GroupVersion.Group, v1alpha1.GroupVersion.Version, "namespaces", namespace, resource).
		SetHeader("Accept", "application/json;as=Table;g=meta.k8s.io;v=v1").Do(ctx).Raw()
	Expect(err).NotTo(HaveOccurred())
	list := &metav1.Table{}
	Expect(json.Unmarshal(text, list)).To(Succeed())
	return list
}

var _ = Describe("kubectl", func() {
	DescribeTable("shows", func(ctx SpecContext, resource string, wide int, names ...string) {
		var got []string
		more := 0
		for _, column := range table(ctx, resource).ColumnDefinitions {
			if column.Priority > 0 {
				more++
				continue
			}
			got = append(got, column.Name)
		}
		Expect(got).To(Equal(names))
		Expect(more).To(Equal(wide), "columns of -o wide")
	},
		Entry("sources", "marketsources", 2, "Name", "Type", "Ready", "Apps", "Served", "Failed", "Age", "Status"),
		Entry("apps", "appinfos", 4, "Name", "Title", "Version", "App Version", "Ready", "Images", "Age", "Status"),
		Entry("instances", "appinstances", 3, "Name", "App", "Version", "Ready", "Update", "Age", "Status"),
		Entry("tasks", "appinstalltasks", 2, "Name", "Action", "App", "Instance", "Version", "Succeeded", "Age", "Status"),
	)

	It("finds what the columns show", func(ctx SpecContext) {
		o := kept(object("AppInfo", appInfo))
		change(`status: {observedGeneration: 1, selectedVersion: 1.2.0, summary: {title: The web, appVersion: "27", imageCount: 3}, ` +
			`conditions: [{type: Ready, status: "True", reason: Ready, message: serving 1.2.0, lastTransitionTime: "2026-01-01T00:00:00Z"}]}`).apply(o)
		Expect(server.Client.Status().Update(ctx, o)).To(Succeed())
		for _, row := range table(ctx, "appinfos").Rows {
			if row.Cells[0] == o.GetName() {
				Expect(fmt.Sprint(row.Cells[1:6]...)).To(Equal(fmt.Sprint("The web", "1.2.0", "27", "True", 3)))
				Expect(row.Cells[7]).To(Equal("serving 1.2.0"))
				return
			}
		}
		Fail("the app is not in the list")
	})

	It("knows the kinds by short names and by one category", func() {
		clients, err := discovery.NewDiscoveryClientForConfig(server.Config)
		Expect(err).NotTo(HaveOccurred())
		resources, err := clients.ServerResourcesForGroupVersion(v1alpha1.GroupVersion.String())
		Expect(err).NotTo(HaveOccurred())
		short := map[string][]string{}
		for _, r := range resources.APIResources {
			if len(r.ShortNames) > 0 {
				short[r.Name] = r.ShortNames
				Expect(r.Categories).To(Equal([]string{"market"}), r.Name)
				Expect(r.Namespaced).To(BeTrue(), r.Name)
			}
		}
		Expect(short).To(Equal(map[string][]string{
			"marketsources": {"msrc"}, "appinfos": {"ainf"}, "appinstances": {"ainst"}, "appinstalltasks": {"atask"},
		}))
	})

	It("warns of a field that is not known", func(ctx SpecContext) {
		o := object("MarketSource", source)
		change("spec.intervall: 10m").apply(o)
		strict := client.WithFieldValidation(server.Client, metav1.FieldValidationStrict)
		Expect(strict.Create(ctx, o, client.DryRunAll)).To(MatchError(ContainSubstring(`unknown field "spec.intervall"`)))
	})
})
