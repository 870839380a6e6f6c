package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

var _ = Describe("A task with spec.dryRun", func() {
	const claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\n" +
		"spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}\n"
	page := func(name, text string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata: {text: " + text + "}\n"
	}
	notes := fixture.Chart{Name: "notes", Version: "1.0.0", Files: fixture.Files{
		"templates/page.yaml": page("page", "a"), "templates/old.yaml": page("old", "a"), "templates/data.yaml": claim,
	}}
	dryRun := func(s *v1alpha1.AppInstallTaskSpec) { s.DryRun = new(true) }

	It("reports what each operation changes, and the operation does that", func(ctx SpecContext) {
		t := newTenant(ctx)
		repository := t.Offer(ctx, notes)
		changes := func(action v1alpha1.Action, change ...fixture.Change) []string {
			GinkgoHelper()
			ended := t.WaitEnd(ctx, t.Task(ctx, action, "notes", append(change, dryRun)...))
			Expect(ended.Message).To(HavePrefix("dry run: " + string(action) + ` of instance "notes" is possible`))
			var all []string
			for _, one := range ended.Task.Status.Plan.Objects {
				all = append(all, string(one.Change)+" "+one.Object.String())
			}
			return all
		}
		Expect(changes(v1alpha1.ActionInstall)).To(Equal([]string{"Created ConfigMap/old", "Created ConfigMap/page", "Created PersistentVolumeClaim/data"}))
		missing := t.Client.Get(ctx, types.NamespacedName{Namespace: t.Namespace, Name: "notes"}, &v1alpha1.AppInstance{})
		Expect(apierrors.IsNotFound(missing)).To(BeTrue())
		t.Succeed(ctx, v1alpha1.ActionInstall, "notes")

		repository.Add(notes.With("1.1.0", fixture.Files{
			"templates/page.yaml": page("page", "b"), "templates/old.yaml": "", "templates/new.yaml": page("new", "a"),
		}))
		t.Sync(ctx)
		Eventually(func() string { return t.Instance(ctx, "notes").Status.AvailableUpdate }).WithContext(ctx).Should(Equal("1.1.0"))
		Expect(changes(v1alpha1.ActionUpgrade)).To(Equal([]string{"Deleted ConfigMap/old", "Created ConfigMap/new", "Changed ConfigMap/page"}))
		t.Succeed(ctx, v1alpha1.ActionUpgrade, "notes")

		Expect(changes(v1alpha1.ActionConfigure)).To(BeEmpty())
		Expect(changes(v1alpha1.ActionUninstall)).To(Equal([]string{"Deleted ConfigMap/new", "Deleted ConfigMap/page", "Retained PersistentVolumeClaim/data"}))
		Expect(changes(v1alpha1.ActionUninstall, func(s *v1alpha1.AppInstallTaskSpec) {
			s.Uninstall = &v1alpha1.UninstallParameters{DataPolicy: v1alpha1.DataDelete}
		})).To(Equal([]string{"Deleted ConfigMap/new", "Deleted ConfigMap/page", "Deleted PersistentVolumeClaim/data"}))
		t.Succeed(ctx, v1alpha1.ActionUninstall, "notes")
		Expect(changes(v1alpha1.ActionInstall)).To(Equal([]string{
			"Created ConfigMap/new", "Created ConfigMap/page", "Changed PersistentVolumeClaim/data",
		}))
	})
})
