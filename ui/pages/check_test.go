package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// postPart sends a form as the script of a page does.
func (b *browser) postPart(t *testing.T, path string, form url.Values) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+path, strings.NewReader(form.Encode()))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("HX-Request", "true")
	return b.send(t, request)
}

// startCheck sends a form to be checked, and returns the dry run and the URL of the form with its result.
func (w formWorld) startCheck(t *testing.T, form string, entries url.Values) (*v1alpha1.AppInstallTask, string) {
	t.Helper()
	g := NewWithT(t)
	answer := w.b.post(t, form+"/check", entries)
	g.Expect(answer.StatusCode).To(Equal(http.StatusSeeOther), answer.text)
	location, err := url.Parse(answer.Header.Get("Location"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(location.Path).To(Equal(form))
	return w.readTask(t, location.Query().Get("from")), location.String()
}

// endCheck writes the result of a dry run as the operator does.
func (w formWorld) endCheck(t *testing.T, task *v1alpha1.AppInstallTask, status v1alpha1.AppInstallTaskStatus) {
	t.Helper()
	g := NewWithT(t)
	g.Expect(w.Client.Get(t.Context(), client.ObjectKeyFromObject(task), task)).To(Succeed())
	task.Status = endedStatus(task, status)
	g.Expect(w.Client.Status().Update(t.Context(), task)).To(Succeed())
}

// endedStatus returns the status of a task that has just ended.
func endedStatus(task *v1alpha1.AppInstallTask, status v1alpha1.AppInstallTaskStatus) v1alpha1.AppInstallTaskStatus {
	now := metav1.Now()
	status.ObservedGeneration, status.StartTime, status.CompletionTime, status.InstanceName = task.Generation, &now, &now, task.Instance()
	return status
}

// planned returns the status of a dry run without problems.
func planned(namespace string) v1alpha1.AppInstallTaskStatus {
	object := func(change v1alpha1.ObjectChange, kind, name string) v1alpha1.PlannedObject {
		return v1alpha1.PlannedObject{Change: change, Object: v1alpha1.ObjectReference{APIVersion: "v1", Kind: kind, Namespace: namespace, Name: name}}
	}
	return v1alpha1.AppInstallTaskStatus{
		Version: "1.2.0", Conditions: []metav1.Condition{condition("Succeeded", "True", "Planned", "dry run: the operation is possible")},
		Plan: &v1alpha1.Plan{
			Subtasks:       []v1alpha1.PlannedSubtask{{Action: v1alpha1.ActionInstall, Instance: "notes", Version: "1.0.1"}},
			ObjectsCreated: 3, ObjectsDeleted: 1,
			ImagesAdded: []v1alpha1.PlannedImage{{Name: "registry.example/wiki:2.4.0", LargestPlatformBytes: 412e6}}, ImageBytesAdded: 17e6, ImageBytesRemoved: 3e6,
			ImagesRemoved:    []v1alpha1.PlannedImage{{Name: "registry.example/wiki:2.3.1"}},
			PermissionsAdded: []string{`get secrets in namespace "demo"`}, UnusedValues: []string{"page.color"},
			Objects: []v1alpha1.PlannedObject{object(v1alpha1.ObjectCreated, "Deployment", "wiki-web"), object(v1alpha1.ObjectCreated, "Service", "wiki-web"), object(v1alpha1.ObjectDeleted, "Secret", "wiki-old")},
		},
	}
}

func TestCheckOfAnInstallation(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	task, page := w.startCheck(t, w.path, w.validForm())
	g.Expect(task.IsDryRun()).To(BeTrue())
	g.Expect(task.Name).To(HavePrefix("check-wiki-"))
	names := []string{}
	for _, input := range task.Spec.Install.Inputs {
		names = append(names, input.Name)
	}
	g.Expect(names).To(ConsistOf("WIKI_ADMIN_EMAIL", "WIKI_SIZE"), "confidential inputs are not part of a check")
	g.Expect(w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.tenant, Name: "wiki-inputs"}, &corev1.Secret{})).NotTo(Succeed(), "a check writes no Secret")
	form := w.b.get(t, page)
	g.Expect(form.text).To(And(ContainSubstring("Checking"), ContainSubstring("Show the result"), ContainSubstring(`value="jane@example.com"`), ContainSubstring(`value="Team wiki"`),
		ContainSubstring(`value="installer"`), ContainSubstring("replicas: 2"), ContainSubstring("data-live=")), "the form has the checked entries")
	g.Expect(form.text).NotTo(ContainSubstring("CANARY"))

	part := "/parts/checks/" + w.tenant + "/" + task.Name
	w.endCheck(t, task, v1alpha1.AppInstallTaskStatus{
		Conditions:     []metav1.Condition{condition("Succeeded", "False", "InputRequired", "spec.install.inputs: missing")},
		RequiredInputs: []v1alpha1.Input{{Name: "WIKI_ADMIN_PASSWORD", Type: "password", Secret: true, Required: true, Problem: "required"}},
		Preflight:      []v1alpha1.Problem{{Reason: "InputRequired", Message: "spec.install.inputs: missing"}},
	})
	for _, path := range []string{part, page} {
		answer := w.b.get(t, path)
		g.Expect(answer.text).To(And(ContainSubstring("No problems found so far"), ContainSubstring("placeholders for them: WIKI_ADMIN_PASSWORD"), Not(ContainSubstring("data-live="))), path)
		g.Expect(answer.text).NotTo(ContainSubstring("spec.install.inputs: missing"))
	}
	w.endCheck(t, task, v1alpha1.AppInstallTaskStatus{
		Conditions:     []metav1.Condition{condition("Succeeded", "False", "PermissionDenied", "all in one sentence")},
		RequiredInputs: []v1alpha1.Input{{Name: "WIKI_ADMIN_EMAIL", Title: "Administrator", Type: "email", Required: true, Problem: "must be an e-mail address"}},
		Preflight:      []v1alpha1.Problem{{Reason: "PermissionDenied", Message: "account installer cannot create roles", Remedy: "kind: Role\nname: " + attack}},
	})
	g.Expect(w.b.get(t, part).text).To(And(ContainSubstring("2 problems"), ContainSubstring("account installer cannot create roles"), ContainSubstring("kind: Role"), ContainSubstring(`class="copy"`),
		ContainSubstring("Administrator"), ContainSubstring("must be an e-mail address"), Not(ContainSubstring("<script")), Not(ContainSubstring("all in one sentence"))))
	assumed := planned(w.tenant)
	assumed.Conditions = []metav1.Condition{condition("Succeeded", "False", "InputRequired", "spec.install.inputs: missing")}
	assumed.RequiredInputs = []v1alpha1.Input{{Name: "WIKI_ADMIN_PASSWORD", Type: "password", Secret: true, Required: true, Problem: "required"}}
	assumed.Preflight = []v1alpha1.Problem{{Reason: "InputRequired", Message: "spec.install.inputs: missing"}}
	w.endCheck(t, task, assumed)
	g.Expect(w.b.get(t, part).text).To(And(ContainSubstring("No problems found<"), ContainSubstring("placeholders for them: WIKI_ADMIN_PASSWORD"), ContainSubstring(w.tenant+"/wiki-web"),
		Not(ContainSubstring("spec.install.inputs: missing"))), "a plan with placeholders")
	w.endCheck(t, task, planned(w.tenant))
	for _, path := range []string{part, page, "/tasks/" + w.tenant + "/" + task.Name} {
		g.Expect(w.b.get(t, path).text).To(And(ContainSubstring("dry run: the operation is possible"), ContainSubstring("Install notes"), ContainSubstring(w.tenant+"/wiki-web"),
			ContainSubstring(w.tenant+"/wiki-old"), ContainSubstring("1 other object is not listed"), ContainSubstring("registry.example/wiki:2.4.0"), ContainSubstring("412 MB"), ContainSubstring("17 MB to pull; layers that images share count once"), ContainSubstring("3 MB; layers that images share count once"),
			ContainSubstring("Not used any more"), ContainSubstring("get secrets in namespace &#34;demo&#34;"), ContainSubstring("page.color")), path)
	}
	g.Expect(w.b.get(t, "/parts/checks/"+w.tenant+"/none").StatusCode).To(Equal(http.StatusNotFound))
	other := w.signIn(t, w.Namespace(t, nil), "other", tenant...)
	g.Expect(other.get(t, part).StatusCode).To(Equal(http.StatusForbidden))
	w.addTask(t, w.tenant, "install-wiki-x7k2p", w.ref)
	g.Expect(w.b.get(t, "/parts/checks/"+w.tenant+"/install-wiki-x7k2p").StatusCode).To(Equal(http.StatusNotFound), "a task that is not a dry run")
}

func TestCheckAsAPartOfThePage(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	answer := w.b.postPart(t, w.path+"/check", w.validForm())
	g.Expect(answer.StatusCode).To(Equal(http.StatusOK))
	g.Expect(answer.text).To(And(ContainSubstring(`hx-get="/parts/checks/`+w.tenant+"/check-wiki-"), ContainSubstring(`data-live="/live?t=appinstalltasks`), Not(ContainSubstring("<html"))))
	g.Expect(w.taskNames(t)).To(HaveLen(1))

	wrong := w.validForm()
	wrong.Set("name", "Wrong name")
	answer = w.b.postPart(t, w.path+"/check", wrong)
	g.Expect(answer.StatusCode).To(Equal(http.StatusOK), "the script shows answers without an error only")
	g.Expect(answer.text).To(And(ContainSubstring("1 field needs a correction"), ContainSubstring(`href="#name"`)))
	answer = w.b.post(t, w.path+"/check", wrong)
	g.Expect(answer.StatusCode).To(Equal(http.StatusUnprocessableEntity))
	g.Expect(answer.text).To(And(ContainSubstring(`id="errors"`), ContainSubstring(`value="Wrong name"`), Not(ContainSubstring("CANARY"))))
	missing := w.validForm()
	missing.Set("input.WIKI_ADMIN_EMAIL", "")
	g.Expect(w.b.post(t, w.path+"/check", missing).StatusCode).To(Equal(http.StatusSeeOther), "the market may supply a missing input")
	g.Expect(w.taskNames(t)).To(HaveLen(2))

	reader := w.signIn(t, w.tenant, "reader", viewer)
	w.addInstance(t, w.tenant, "board", w.ref)
	form := "/instances/" + w.tenant + "/board/actions/uninstall"
	refused := reader.postPart(t, form+"/check", url.Values{"data": {"retain"}})
	g.Expect(refused.StatusCode).To(Equal(http.StatusOK))
	g.Expect(refused.text).To(And(ContainSubstring("No permission"), ContainSubstring("kubectl create rolebinding"), Not(ContainSubstring("<html"))))
	page := reader.post(t, form+"/check", url.Values{"data": {"retain"}})
	g.Expect(page.StatusCode).To(Equal(http.StatusForbidden))
	g.Expect(page.text).To(ContainSubstring(`href="` + form + `"`))
	g.Expect(w.b.get(t, form+"/check").StatusCode).NotTo(Equal(http.StatusSeeOther), "GET creates nothing")
	g.Expect(w.taskNames(t)).To(HaveLen(2))
}

func TestChecksOfActions(t *testing.T) {
	w := newFormWorld(t)
	w.addInstance(t, w.tenant, "wiki", w.ref, func(i *v1alpha1.AppInstance) {
		i.Status.AvailableUpdate, i.Status.Version = "1.2.0", "1.1.0"
		now := metav1.Now()
		i.Status.History = []v1alpha1.HistoryEntry{
			{Operation: v1alpha1.Operation{Type: v1alpha1.OperationInstall, Version: "1.0.0", StartedAt: now}, Outcome: v1alpha1.OutcomeSucceeded, Revision: 3, EndedAt: now},
		}
	})
	forms := "/instances/" + w.tenant + "/wiki/actions/"
	for _, c := range []struct {
		path  string
		form  url.Values
		check func(Gomega, v1alpha1.AppInstallTaskSpec)
		page  []string
	}{
		{forms + "upgrade", url.Values{"choice": {"1.2.0"}, "title": {"Upgraded"}, "input.WIKI_ADMIN_PASSWORD": {"CANARY"}}, func(g Gomega, s v1alpha1.AppInstallTaskSpec) {
			g.Expect([]string{s.Upgrade.Version, s.Upgrade.Title}).To(Equal([]string{"1.2.0", "Upgraded"}))
			g.Expect(s.Upgrade.Inputs).To(BeEmpty())
		}, []string{`value="Upgraded"`}},
		{forms + "configure", url.Values{"title": {"Configured"}, "values": {"replicas: 7\n"}}, func(g Gomega, s v1alpha1.AppInstallTaskSpec) {
			g.Expect(s.Configure.Title).To(Equal("Configured"))
		}, []string{`value="Configured"`, "replicas: 7", "set replicas"}},
		{forms + "configure", url.Values{"input.WIKI_ADMIN_PASSWORD": {"CANARY"}}, func(g Gomega, s v1alpha1.AppInstallTaskSpec) {
			g.Expect(s.Parameters().Inputs).To(BeEmpty())
		}, nil},
		{forms + "rollback", url.Values{"choice": {"3"}}, func(g Gomega, s v1alpha1.AppInstallTaskSpec) { g.Expect(s.Rollback.Revision).To(BeEquivalentTo(3)) }, []string{`value="3" selected`}},
		{forms + "clone", url.Values{"to": {w.tenant}, "name": {"wiki-b"}, "title": {"Second"}, "entrance.web": {"Second web"}}, func(g Gomega, s v1alpha1.AppInstallTaskSpec) {
			g.Expect([]string{s.InstanceName, s.Clone.From.Name, s.Clone.Title}).To(Equal([]string{"wiki-b", "wiki", "Second"}))
		}, []string{`value="wiki-b"`, `value="Second"`, `value="Second web"`}},
		{forms + "uninstall", url.Values{"data": {"delete"}, "dependents": {"yes"}}, func(g Gomega, s v1alpha1.AppInstallTaskSpec) {
			g.Expect(s.Uninstall.DataPolicy).To(Equal(v1alpha1.DataDelete), "a check needs no confirmation")
		}, []string{`value="delete" checked`, `value="yes" checked`}},
		{strings.TrimSuffix(w.path, "install") + "adopt", url.Values{"to": {w.tenant}, "name": {"release"}, "version": {""}}, func(g Gomega, s v1alpha1.AppInstallTaskSpec) {
			g.Expect([]string{string(s.Action), s.InstanceName}).To(Equal([]string{"Adopt", "release"}))
		}, []string{`value="release"`}},
	} {
		t.Run(c.path, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(w.b.get(t, c.path).text).To(ContainSubstring(`formaction="` + c.path + `/check"`))
			task, page := w.startCheck(t, c.path, c.form)
			g.Expect(task.IsDryRun()).To(BeTrue())
			c.check(g, task.Spec)
			w.endCheck(t, task, planned(w.tenant))
			text := w.b.get(t, page).text
			g.Expect(text).To(And(ContainSubstring("No problems found"), Not(ContainSubstring("CANARY"))))
			for _, want := range c.page {
				g.Expect(text).To(ContainSubstring(want))
			}
		})
	}
	g := NewWithT(t)
	g.Expect(w.b.post(t, forms+"stop/check", nil).StatusCode).To(Equal(http.StatusNotFound), "Stop has no parameters to check")
	g.Expect(w.b.post(t, forms+"upgrade/check", url.Values{"choice": {"0.1.0"}}).StatusCode).To(Equal(http.StatusUnprocessableEntity))
	// A task of another form does not fill the form.
	g.Expect(w.b.get(t, forms+"configure?from="+w.taskNames(t)[0]+"&namespace="+w.tenant).StatusCode).To(Equal(http.StatusOK))
}
