package pages_test

import (
	"net/http"
	"net/url"
	"strconv"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// mayPatch returns the rule of a user who can patch objects of a resource.
func mayPatch(resource string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{"appmarket.io"}, Resources: []string{resource}, Verbs: []string{"patch"}}
}

func generationOf(object client.Object) string { return strconv.FormatInt(object.GetGeneration(), 10) }

func TestChangesOfAnApp(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	app := &v1alpha1.AppInfo{ObjectMeta: metav1.ObjectMeta{Namespace: w.market, Name: "samples.wiki"}}
	read := func() *v1alpha1.AppInfo {
		g.Expect(w.Client.Get(t.Context(), client.ObjectKeyFromObject(app), app)).To(Succeed())
		return app
	}
	page := "/apps/" + w.market + "/samples/wiki"
	reader := w.signIn(t, w.market, "reader", viewer)
	g.Expect(reader.get(t, page).text).NotTo(ContainSubstring("/changes/"))
	g.Expect(reader.get(t, page+"/changes/suspend").text).To(And(ContainSubstring("--clusterrole=appmarket-market-admin"), ContainSubstring("disabled")))
	g.Expect(reader.post(t, page+"/changes/suspend", nil).StatusCode).To(Equal(http.StatusForbidden))
	b := w.signIn(t, w.market, "curator", viewer, mayPatch("appinfos"))
	shows(t, b, page, page+"/changes/hydrate", page+"/changes/suspend", page+"/changes/feature", page+"/changes/parameters")
	shows(t, b, "/apps/"+w.market+"/samples/broken", "samples/broken/changes/hydrate")

	g.Expect(b.get(t, page+"/changes/hydrate").text).To(And(ContainSubstring("reconcile-requested-at"), ContainSubstring("kubectl patch appinfo samples.wiki")))
	g.Expect(b.post(t, page+"/changes/hydrate", nil).Header.Get("Location")).To(Equal(page))
	g.Expect(read().Annotations).To(HaveKey(v1alpha1.ReconcileRequestAnnotation))
	g.Expect(b.post(t, page+"/changes/resume", nil).StatusCode).To(Equal(http.StatusUnprocessableEntity), "it is not suspended")
	g.Expect(b.post(t, page+"/changes/suspend", nil).StatusCode).To(Equal(http.StatusSeeOther))
	g.Expect(*read().Spec.Suspend).To(BeTrue())
	g.Expect(b.post(t, page+"/changes/resume", nil).StatusCode).To(Equal(http.StatusSeeOther))
	g.Expect(*read().Spec.Suspend).To(BeFalse())

	form := url.Values{"generation": {generationOf(app)}, "featured": {"1001"}, "hidden": {"yes"}}
	g.Expect(b.post(t, page+"/changes/feature", form).text).To(And(ContainSubstring("from 0 to 1000"), ContainSubstring(`value="1001"`)))
	form.Set("featured", "900")
	g.Expect(b.post(t, page+"/changes/feature/preview", form).text).To(And(ContainSubstring("featured: 900"), ContainSubstring("hidden: true")))
	g.Expect(b.post(t, page+"/changes/feature", form).StatusCode).To(Equal(http.StatusSeeOther))
	g.Expect([]any{*read().Spec.Featured, *app.Spec.Hidden}).To(Equal([]any{int32(900), true}))
	g.Expect(b.post(t, page+"/changes/feature", form).text).To(ContainSubstring("was changed after you opened the form"))
	g.Expect(b.get(t, page+"/changes/other").StatusCode).To(Equal(http.StatusNotFound))
}

func TestParametersOfAnApp(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, true)
	b := w.signInAsAdmin(t)
	app := &v1alpha1.AppInfo{ObjectMeta: metav1.ObjectMeta{Namespace: w.market, Name: "samples.wiki"}}
	path := "/apps/" + w.market + "/samples/wiki/changes/parameters"
	submit := func(text string) answer {
		g.Expect(w.Client.Get(t.Context(), client.ObjectKeyFromObject(app), app)).To(Succeed())
		return b.post(t, path, url.Values{"generation": {generationOf(app)}, "parameters": {text}})
	}
	g.Expect(submit("a: [").StatusCode).To(Equal(http.StatusUnprocessableEntity))
	g.Expect(submit("replicas: 3\nimage: {tag: null}\n").StatusCode).To(Equal(http.StatusSeeOther))
	g.Expect(w.Client.Get(t.Context(), client.ObjectKeyFromObject(app), app)).To(Succeed())
	g.Expect(string(app.Spec.CustomParams.Raw)).To(MatchJSON(`{"replicas": 3, "image": {"tag": null}}`), "a null value is kept")
	g.Expect(b.get(t, path).text).To(And(ContainSubstring("replicas: 3"), ContainSubstring("Nothing is changed yet")))
	g.Expect(submit("").StatusCode).To(Equal(http.StatusSeeOther))
	app = &v1alpha1.AppInfo{ObjectMeta: app.ObjectMeta}
	g.Expect(w.Client.Get(t.Context(), client.ObjectKeyFromObject(app), app)).To(Succeed())
	g.Expect(app.Spec.CustomParams).To(BeNil())
}

func TestChangesOfAnInstance(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	failed := w.addInstance(t, w.tenant, "failed", w.ref, func(i *v1alpha1.AppInstance) {
		i.Status.Conditions = []metav1.Condition{
			condition("Ready", "False", "HelmFailed", "no"), condition("Applied", "False", "HelmFailed", "no"), condition("Stalled", "True", "HelmFailed", "no"),
		}
		i.Status.Drift = []v1alpha1.DriftedObject{{Object: v1alpha1.ObjectReference{APIVersion: "v1", Kind: "Service", Name: "wiki"}, Fields: []string{"spec.type"}}}
	})
	read := func() *v1alpha1.AppInstance {
		g.Expect(w.Client.Get(t.Context(), client.ObjectKeyFromObject(failed), failed)).To(Succeed())
		return failed
	}
	page := "/instances/" + w.tenant + "/failed"
	b := w.signIn(t, w.tenant, "jane", viewer, mayPatch("appinstances"))
	shows(t, b, page, page+"/changes/retry")
	g.Expect(b.get(t, page+"/changes/retry").text).To(ContainSubstring("kubectl patch appinstance failed"))
	g.Expect(b.post(t, page+"/changes/retry", nil).Header.Get("Location")).To(Equal(page))
	g.Expect(read().Annotations).To(HaveKey(v1alpha1.ReconcileRequestAnnotation))
	wiki := "/instances/" + w.tenant + "/wiki"
	g.Expect(b.get(t, wiki).text).NotTo(ContainSubstring("/changes/retry"))
	g.Expect(b.post(t, wiki+"/changes/retry", nil).StatusCode).To(Equal(http.StatusUnprocessableEntity), "nothing has failed")

	g.Expect(b.get(t, page+"/drift").text).To(And(ContainSubstring(page+"/changes/drift?policy=Correct"), ContainSubstring("Set policy")))
	g.Expect(b.get(t, page+"/changes/drift?policy=Correct").text).To(ContainSubstring("driftPolicy: Correct"))
	form := url.Values{"generation": {generationOf(read())}, "policy": {"Other"}}
	g.Expect(b.post(t, page+"/changes/drift", form).StatusCode).To(Equal(http.StatusUnprocessableEntity))
	form.Set("policy", "Correct")
	g.Expect(b.post(t, page+"/changes/drift", form).Header.Get("Location")).To(Equal(page + "/drift"))
	g.Expect(read().Spec.DriftPolicy).To(Equal(v1alpha1.DriftCorrect))
	reader := w.signIn(t, w.tenant, "reader", viewer)
	g.Expect(reader.get(t, page+"/drift").text).NotTo(ContainSubstring("Set policy"))
	form.Set("generation", generationOf(read()))
	form.Set("policy", "Warn")
	g.Expect(reader.post(t, page+"/changes/drift", form).StatusCode).To(Equal(http.StatusForbidden))
}

func TestHistoryLeadsToDiffAndRollback(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, true)
	app := &v1alpha1.AppInfo{}
	g.Expect(w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.market, Name: "samples.wiki"}, app)).To(Succeed())
	earlier := app.Status.Versions[0]
	earlier.Version = "1.1.0"
	app.Status.Versions = append(app.Status.Versions, earlier)
	g.Expect(w.Client.Status().Update(t.Context(), app)).To(Succeed())
	now := metav1.Now()
	entry := func(revision int32, version string) v1alpha1.HistoryEntry {
		return v1alpha1.HistoryEntry{
			Revision: revision, Outcome: v1alpha1.OutcomeSucceeded, EndedAt: now, Releases: []v1alpha1.ReleaseRevision{{Name: "past", Revision: revision}},
			Operation: v1alpha1.Operation{Type: v1alpha1.OperationUpgrade, Version: version, StartedAt: now},
		}
	}
	w.addInstance(t, w.tenant, "past", w.ref, func(i *v1alpha1.AppInstance) {
		i.Status.History = []v1alpha1.HistoryEntry{entry(4, "1.2.0"), entry(3, "1.1.0"), entry(2, "0.9.0")}
	})
	page := w.signInAsAdmin(t).get(t, "/instances/"+w.tenant+"/past/history").text
	g.Expect(page).To(ContainSubstring("/samples/wiki/versions?from=1.1.0&amp;to=1.2.0"))
	g.Expect(page).NotTo(Or(ContainSubstring("from=0.9.0"), ContainSubstring("from=1.2.0"), ContainSubstring("rollback?choice=4")))
	g.Expect(page).To(And(ContainSubstring("/past/actions/rollback?choice=3"), ContainSubstring("/past/actions/rollback?choice=2")))
}

func TestEffectiveValues(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	w.Create(t, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.tenant, Name: "more"}, Data: map[string]string{"values.yaml": "theme: dark\nlanguage: fr\n"},
	})
	w.addInstanceWith(t, w.tenant, "own", v1alpha1.AppInstanceSpec{
		AppRef: w.ref, Values: &runtime.RawExtension{Raw: []byte(`{"language":"en"}`)}, ValuesFrom: []v1alpha1.ValuesReference{
			{Kind: v1alpha1.ValuesFromConfigMap, Name: "more", Key: "values.yaml"}, {Kind: v1alpha1.ValuesFromSecret, Name: "hidden", Key: "values.yaml"},
			{Kind: v1alpha1.ValuesFromConfigMap, Name: "other", Key: "values.yaml"},
		},
	})
	w.allowBrowsing(t, "jane")
	page := "/instances/" + w.tenant + "/own/values"
	b := w.signIn(t, w.tenant, "jane", viewer, rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"more"}, Verbs: []string{"get"},
	})
	g.Expect(b.get(t, page).text).To(And(ContainSubstring("?effective=1"), Not(ContainSubstring("replicas: 1"))))
	g.Expect(b.get(t, page+"?effective=1").text).To(And(
		ContainSubstring("language: en\nreplicas: 1\ntheme: dark\n"), ContainSubstring("The values of ConfigMap other are not included"),
		ContainSubstring("The values of Secret hidden are not included")))
	stranger := w.signIn(t, w.tenant, "stranger", viewer)
	g.Expect(stranger.get(t, page+"?effective=1").text).To(And(ContainSubstring("you cannot get the app"), Not(ContainSubstring("replicas: 1"))))
}

func TestUpgradesOfSeveralInstances(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	managed := &v1alpha1.AppInstance{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.tenant, Name: "managed", Annotations: map[string]string{"argocd.argoproj.io/tracking-id": "x"}},
		Spec:       v1alpha1.AppInstanceSpec{AppRef: w.ref},
	}
	w.create(t, managed, func() { makeUpgradable(managed) })
	for _, name := range []string{"first", "second"} {
		w.addInstance(t, w.tenant, name, w.ref, makeUpgradable)
	}
	w.addInstance(t, w.tenant, "current", w.ref)
	b := w.signIn(t, w.tenant, "jane", tenant...)
	shows(t, b, "/instances", "Upgrade all 4 instances…")
	page := shows(t, b, "/upgrades", w.tenant+"/first", w.tenant+"/managed", "Argo CD", "1.2.0 → 2.4.0").text
	g.Expect(page).To(And(
		ContainSubstring("name: upgrade-first-"), ContainSubstring("kubectl market upgrade second"), Not(ContainSubstring("name: upgrade-managed-"))))
	g.Expect(page).NotTo(ContainSubstring("/current"))
	form := url.Values{"key": {"abcde"}, "instance": {w.tenant + "/first", w.tenant + "/current", "kube-system/other"}}
	g.Expect(b.post(t, "/upgrades/preview", form).text).To(And(ContainSubstring("upgrade-first-abcde"), Not(ContainSubstring("second"))))
	g.Expect(b.post(t, "/upgrades", url.Values{"key": {"abcde"}}).text).To(ContainSubstring("Select at least one instance"))
	g.Expect(b.post(t, "/upgrades", form).Header.Get("Location")).To(Equal("/tasks"))
	g.Expect(b.post(t, "/upgrades", form).StatusCode).To(Equal(http.StatusSeeOther), "a form that is sent twice creates one task")
	var tasks v1alpha1.AppInstallTaskList
	g.Expect(w.Client.List(t.Context(), &tasks, client.InNamespace(w.tenant))).To(Succeed())
	var names []string
	for i := range tasks.Items {
		if tasks.Items[i].Spec.Action == v1alpha1.ActionUpgrade {
			names = append(names, tasks.Items[i].Name+" "+tasks.Items[i].Spec.Upgrade.Version)
		}
	}
	g.Expect(names).To(Equal([]string{"upgrade-first-abcde 2.4.0"}))
	reader := w.signIn(t, w.tenant, "reader", viewer)
	g.Expect(reader.get(t, "/upgrades").text).To(And(ContainSubstring("disabled"), Not(ContainSubstring("kind: AppInstallTask"))))
}

// makeUpgradable gives an instance an update.
func makeUpgradable(instance *v1alpha1.AppInstance) {
	instance.Status.ObservedGeneration, instance.Status.Version, instance.Status.AvailableUpdate = instance.Generation, "1.2.0", "2.4.0"
	instance.Status.Revision = 4
	instance.Status.Releases = []v1alpha1.Release{{Name: instance.Name, Revision: 1, Status: "deployed"}}
	instance.Status.Conditions = []metav1.Condition{
		condition("Ready", "True", "Ready", "version 1.2.0 is installed"), condition("Resolved", "True", "Resolved", ""),
		condition("Applied", "True", "Applied", ""), condition("Healthy", "True", "Healthy", ""),
	}
}
