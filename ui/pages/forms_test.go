package pages_test

import (
	"bytes"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/pages"
)

// tenant are the rules of a user who installs apps and stores confidential inputs.
var tenant = []rbacv1.PolicyRule{
	viewer,
	{APIGroups: []string{"appmarket.io"}, Resources: []string{"appinstalltasks"}, Verbs: []string{"create", "patch"}},
	{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"create", "patch", "delete"}},
}

// formWorld is a market with an app that has inputs, and a tenant who can install it.
type formWorld struct {
	world

	b    *browser
	path string
}

func newFormWorld(t *testing.T, change ...func(*pages.Options)) formWorld {
	t.Helper()
	w := formWorld{world: world{site: startSite(t, false, change...)}}
	w.market, w.tenant = w.Namespace(t, nil), w.Namespace(t, nil)
	w.ref = v1alpha1.AppReference{Namespace: w.market, Source: "samples", Name: "wiki"}
	w.addApp(t, w.market, "samples", "wiki", v1alpha1.AppSummary{
		Title: "Wiki", Inputs: []v1alpha1.Input{
			{Name: "WIKI_ADMIN_EMAIL", Type: "email", Required: true}, {Name: "WIKI_ADMIN_PASSWORD", Type: "password", Secret: true, Required: true},
			{Name: "WIKI_SIZE", Type: "int", Minimum: "1", Maximum: "9", Default: "3"}, {Name: "WIKI_THEME", Type: "string", Options: []v1alpha1.InputOption{{Value: "dark"}, {Value: "light"}}},
		},
	})
	w.b = w.signIn(t, w.tenant, "jane", tenant...)
	w.allowBrowsing(t, "jane")
	w.path = "/apps/" + w.market + "/samples/wiki/install"
	shows(t, w.b, w.path, "Install Wiki")
	return w
}

// validForm returns a form without errors.
func (w formWorld) validForm() url.Values {
	return url.Values{
		"key": {"abcde"}, "to": {w.tenant}, "name": {"wiki"}, "title": {"Team wiki"}, "version": {"1.2.0"}, "account": {"installer"}, "values": {"replicas: 2\n"},
		"input.WIKI_ADMIN_EMAIL": {"jane@example.com"}, "input.WIKI_ADMIN_PASSWORD": {"CANARY-password"}, "input.WIKI_SIZE": {"5"}, "input.WIKI_THEME": {""},
	}
}

func (w formWorld) readTask(t *testing.T, name string) *v1alpha1.AppInstallTask {
	t.Helper()
	task := &v1alpha1.AppInstallTask{}
	NewWithT(t).Expect(w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.tenant, Name: name}, task)).To(Succeed())
	return task
}

func (w formWorld) taskNames(t *testing.T) []string {
	t.Helper()
	var found v1alpha1.AppInstallTaskList
	NewWithT(t).Expect(w.Client.List(t.Context(), &found, client.InNamespace(w.tenant))).To(Succeed())
	names := []string{}
	for i := range found.Items {
		names = append(names, found.Items[i].Name)
	}
	return names
}

func TestInstallForm(t *testing.T) {
	g := NewWithT(t)
	var mu sync.Mutex
	var log bytes.Buffer
	w := newFormWorld(t, func(o *pages.Options) {
		o.Log = funcr.New(func(prefix, arguments string) {
			mu.Lock()
			defer mu.Unlock()
			log.WriteString(prefix + arguments + "\n")
		}, funcr.Options{Verbosity: 10})
	})
	preview := w.b.post(t, w.path+"/preview", w.validForm())
	g.Expect(preview.StatusCode).To(Equal(http.StatusOK))
	g.Expect(preview.text).To(And(ContainSubstring("kind: AppInstallTask"), ContainSubstring("kind: Secret"), ContainSubstring("jane@example.com"), ContainSubstring("kubectl market install"), Not(ContainSubstring("CANARY"))))
	g.Expect(w.taskNames(t)).To(BeEmpty(), "a preview changes nothing")
	unplaced := w.validForm()
	unplaced.Set("to", "")
	g.Expect(w.b.post(t, w.path+"/preview", unplaced).text).To(ContainSubstring("--namespace NAMESPACE"), "no namespace is selected")

	answer := w.b.post(t, w.path, w.validForm())
	g.Expect(answer.StatusCode).To(Equal(http.StatusSeeOther), answer.text)
	g.Expect(answer.Header.Get("Location")).To(Equal("/tasks/" + w.tenant + "/install-wiki-abcde"))
	task := w.readTask(t, "install-wiki-abcde")
	g.Expect(task.Spec.Action).To(Equal(v1alpha1.ActionInstall))
	g.Expect(task.Spec.AppRef).To(Equal(w.ref))
	g.Expect([]string{task.Spec.InstanceName, task.Spec.ServiceAccountName, task.Spec.Install.Version, task.Spec.Install.Title}).To(Equal([]string{"wiki", "installer", "1.2.0", "Team wiki"}))
	g.Expect(string(task.Spec.Install.Values.Raw)).To(MatchJSON(`{"replicas":2}`))
	email, size := "jane@example.com", "5"
	g.Expect(task.Spec.Install.Inputs).To(ConsistOf(
		v1alpha1.InputValue{Name: "WIKI_ADMIN_EMAIL", Value: &email}, v1alpha1.InputValue{Name: "WIKI_SIZE", Value: &size},
		v1alpha1.InputValue{Name: "WIKI_ADMIN_PASSWORD", ValueFrom: &v1alpha1.InputValueSource{SecretKeyRef: &v1alpha1.KeyReference{Name: "wiki-inputs", Key: "WIKI_ADMIN_PASSWORD"}}},
	), "optional inputs without a value are not sent")
	secret := &corev1.Secret{}
	g.Expect(w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.tenant, Name: "wiki-inputs"}, secret)).To(Succeed())
	g.Expect(secret.Data).To(Equal(map[string][]byte{"WIKI_ADMIN_PASSWORD": []byte("CANARY-password")}))
	manager := ""
	for _, each := range task.ManagedFields {
		manager += each.Manager
	}
	g.Expect(manager).To(ContainSubstring("appmarket-ui"))

	// The button is pressed twice, and the form is sent again after Back.
	for range 2 {
		again := w.b.post(t, w.path, w.validForm())
		g.Expect(again.Header.Get("Location")).To(Equal("/tasks/" + w.tenant + "/install-wiki-abcde"))
	}
	g.Expect(w.taskNames(t)).To(HaveLen(1))
	// An entry is corrected after Back.
	corrected := w.validForm()
	corrected.Set("input.WIKI_ADMIN_EMAIL", "john@example.com")
	location := w.b.post(t, w.path, corrected).Header.Get("Location")
	g.Expect(location).To(MatchRegexp("^/tasks/" + w.tenant + "/install-wiki-[a-z0-9]{5}$"))
	// The task has failed, and a password is corrected.
	failed := w.readTask(t, "install-wiki-abcde")
	before := client.MergeFrom(failed.DeepCopy())
	failed.Status.CompletionTime = new(metav1.Now())
	failed.Status.Conditions = []metav1.Condition{{
		Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonInstallFailed, LastTransitionTime: metav1.Now(),
	}}
	g.Expect(w.Client.Status().Patch(t.Context(), failed, before)).To(Succeed())
	location = w.b.post(t, w.path, w.validForm()).Header.Get("Location")
	g.Expect(location).To(MatchRegexp("^/tasks/" + w.tenant + "/install-wiki-[a-z0-9]{5}$"))
	g.Expect(location).NotTo(HaveSuffix("abcde"))
	g.Expect(w.taskNames(t)).To(HaveLen(3))

	for _, path := range []string{"/tasks/" + w.tenant + "/install-wiki-abcde", "/tasks", w.path + "?from=install-wiki-abcde&namespace=" + w.tenant} {
		g.Expect(w.b.get(t, path).text).NotTo(ContainSubstring("CANARY"), path)
	}
	g.Expect(w.b.get(t, w.path+"?from=install-wiki-abcde&namespace="+w.tenant).text).To(And(
		ContainSubstring(`value="jane@example.com"`), ContainSubstring("replicas: 2"), ContainSubstring(`value="wiki-inputs"`)), "the form repeats the task")
	again := w.b.get(t, w.path+"?from=install-wiki-abcde&namespace="+w.tenant).text
	g.Expect(again).To(And(ContainSubstring("--input-from WIKI_ADMIN_PASSWORD=secret/wiki-inputs/WIKI_ADMIN_PASSWORD"), Not(ContainSubstring("--secret-input"))), "the command does not ask for what the Secret contains")
	g.Expect(preview.text).To(ContainSubstring("--secret-input WIKI_ADMIN_PASSWORD"), "the command asks for what the form writes")
	mu.Lock()
	defer mu.Unlock()
	g.Expect(log.String()).To(ContainSubstring(`"kind"="AppInstallTask"`))
	g.Expect(log.String()).NotTo(Or(ContainSubstring("CANARY"), ContainSubstring("jane@example.com")))
}

func TestInstallFormErrors(t *testing.T) {
	w := newFormWorld(t)
	deep := strings.Repeat("{a: ", 20000) + strings.Repeat("}", 20000)
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n" +
		"e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n"
	for _, c := range []struct{ why, field, value, want string }{
		{"no namespace", "to", "", "select a namespace"},
		{"an invalid namespace", "to", "../x", "must be the name of a namespace"},
		{"an invalid name", "name", "Wiki!", "lower-case letters"},
		{"a long name", "name", strings.Repeat("a", 41), "at most 40"},
		{"an invalid account", "account", "a b", "must be the name of a service account"},
		{"a version that is not published", "version", "9.9.9", "select a published version"},
		{"an invalid address", "input.WIKI_ADMIN_EMAIL", "jane", "WIKI_ADMIN_EMAIL"},
		{"a number out of range", "input.WIKI_SIZE", "10", "WIKI_SIZE"},
		{"another option", "input.WIKI_THEME", "blue", "WIKI_THEME"},
		{"a missing input", "input.WIKI_ADMIN_EMAIL", "", "a value is required"},
		{"invalid YAML", "values", "a: [", "line 1"},
		{"a list as values", "values", "- a", "Values"},
		{"deep values", "values", deep, "Values"},
		{"a bomb", "values", bomb, "Values"},
		{"large values", "values", "a: " + strings.Repeat("x", 70<<10), "at most 65536 bytes"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			form := w.validForm()
			form.Set(c.field, c.value)
			begun := time.Now()
			answer := w.b.post(t, w.path, form)
			g.Expect(time.Since(begun)).To(BeNumerically("<", 20*time.Second))
			g.Expect(answer.StatusCode).To(Equal(http.StatusUnprocessableEntity))
			g.Expect(answer.text).To(ContainSubstring(c.want))
			g.Expect(answer.text).To(ContainSubstring(`id="errors"`))
			g.Expect(answer.Header.Get("Cache-Control")).To(Equal("private, no-cache"), "the browser can return to the answer")
			g.Expect(answer.text).NotTo(ContainSubstring("CANARY"), "a password is not repeated")
			if c.field != "title" {
				g.Expect(answer.text).To(ContainSubstring(`value="Team wiki"`), "other entries are kept")
			}
		})
	}
	g := NewWithT(t)
	g.Expect(w.taskNames(t)).To(BeEmpty())
	g.Expect(w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.tenant, Name: "wiki-inputs"}, &corev1.Secret{})).NotTo(Succeed())
	many := w.validForm()
	for i := range 700 {
		many.Set("x"+strings.Repeat("y", i), "z")
	}
	g.Expect(w.b.post(t, w.path, many).StatusCode).To(Equal(http.StatusBadRequest))
	repeated := w.validForm()
	repeated["title"] = slices.Repeat([]string{"x"}, 700)
	g.Expect(w.b.post(t, w.path, repeated).StatusCode).To(Equal(http.StatusBadRequest))

	missing := w.validForm()
	missing.Set("input.WIKI_ADMIN_EMAIL", "")
	g.Expect(w.b.post(t, w.path, missing).text).To(ContainSubstring("Install without these inputs"))
	missing.Set("anyway", "yes")
	g.Expect(w.b.post(t, w.path, missing).StatusCode).To(Equal(http.StatusSeeOther))
}

// TestFormsNeedPermissions sends forms as a user who can only read.
func TestFormsNeedPermissions(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	w.addInstance(t, w.tenant, "board", w.ref)
	w.addTask(t, w.tenant, "install-wiki-x7k2p", w.ref)
	reader := w.signIn(t, w.tenant, "reader", viewer)
	w.Create(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.market, Name: "reader"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "browser"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: w.tenant, Name: "reader"}},
	})
	shows(t, reader, w.path, "Install Wiki")
	g.Expect(reader.post(t, w.path, w.validForm()).StatusCode).To(Equal(http.StatusForbidden))
	form := w.validForm()
	form.Del("input.WIKI_ADMIN_PASSWORD")
	form.Set("secret.WIKI_ADMIN_PASSWORD", "mine")
	form.Set("key.WIKI_ADMIN_PASSWORD", "password")
	refused := reader.post(t, w.path, form)
	g.Expect(refused.StatusCode).To(Equal(http.StatusForbidden))
	g.Expect(refused.text).To(ContainSubstring("clusterrole=appmarket-tenant"))
	instance := "/instances/" + w.tenant + "/board"
	g.Expect(shows(t, reader, instance, "Uninstall").text).To(And(ContainSubstring(`aria-disabled="true"`), ContainSubstring("You cannot create tasks")))
	for _, path := range []string{
		instance + "/actions/stop", instance + "/actions/restart", instance + "/actions/uninstall",
		"/tasks/" + w.tenant + "/install-wiki-x7k2p/cancel",
	} {
		g.Expect(reader.post(t, path, url.Values{"key": {"abcde"}}).StatusCode).To(Equal(http.StatusForbidden), path)
	}
	g.Expect(w.taskNames(t)).To(ConsistOf("install-wiki-x7k2p"))

	// A Secret that was written for a task that is rejected is removed again.
	writer := w.signIn(t, w.tenant, "writer", viewer, tenant[2])
	w.Create(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.market, Name: "writer"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "browser"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: w.tenant, Name: "writer"}},
	})
	shows(t, writer, w.path, "Install Wiki")
	g.Expect(writer.post(t, w.path, w.validForm()).StatusCode).To(Equal(http.StatusForbidden))
	g.Expect(w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.tenant, Name: "wiki-inputs"}, &corev1.Secret{})).NotTo(Succeed())
}

// TestForeignFormsAreRefused sends the forms as a page of another origin does.
func TestForeignFormsAreRefused(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	w.addInstance(t, w.tenant, "board", w.ref)
	for _, path := range []string{w.path, w.path + "/preview", w.path + "/check", "/instances/" + w.tenant + "/board/actions/uninstall", "/instances/" + w.tenant + "/board/delete", "/tasks/" + w.tenant + "/x/cancel", "/tasks/" + w.tenant + "/x/inputs"} {
		for name, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.b.base+path, strings.NewReader(w.validForm().Encode()))
			g.Expect(err).NotTo(HaveOccurred())
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.Header.Set(name, value)
			g.Expect(w.b.send(t, request).StatusCode).To(Equal(http.StatusForbidden), path)
		}
		g.Expect(w.b.get(t, path).StatusCode).NotTo(Equal(http.StatusSeeOther), path)
	}
	g.Expect(w.taskNames(t)).To(BeEmpty())
}

var keyField = regexp.MustCompile(`name="key" value="([a-z0-9]{5})"`)

func TestActionsOnAnInstance(t *testing.T) {
	w := newFormWorld(t)
	w.addInstance(t, w.tenant, "wiki", w.ref, makeUnhealthy, func(i *v1alpha1.AppInstance) {
		i.Status.AvailableUpdate, i.Status.Version = "1.2.0", "1.1.0"
		now := metav1.Now()
		i.Status.History = []v1alpha1.HistoryEntry{
			{Operation: v1alpha1.Operation{Type: v1alpha1.OperationUpgrade, Version: "1.1.0", StartedAt: now}, Outcome: v1alpha1.OutcomeSucceeded, Revision: 4, EndedAt: now},
			{Operation: v1alpha1.Operation{Type: v1alpha1.OperationInstall, Version: "1.0.0", StartedAt: now}, Outcome: v1alpha1.OutcomeSucceeded, Revision: 3, EndedAt: now},
		}
	})
	instance := "/instances/" + w.tenant + "/wiki"
	shows(t, w.b, instance, "Upgrade to 1.2.0", "Stop", "Restart", "Roll back", "Uninstall")
	for _, c := range []struct {
		action string
		form   url.Values
		check  func(Gomega, v1alpha1.AppInstallTaskSpec)
	}{
		{"stop", nil, func(g Gomega, s v1alpha1.AppInstallTaskSpec) { g.Expect(s.Action).To(Equal(v1alpha1.ActionStop)) }},
		{"restart", nil, func(g Gomega, s v1alpha1.AppInstallTaskSpec) { g.Expect(s.Action).To(Equal(v1alpha1.ActionRestart)) }},
		{"upgrade", url.Values{"choice": {"1.2.0"}}, func(g Gomega, s v1alpha1.AppInstallTaskSpec) { g.Expect(s.Upgrade.Version).To(Equal("1.2.0")) }},
		{"rollback", url.Values{"choice": {"3"}}, func(g Gomega, s v1alpha1.AppInstallTaskSpec) {
			g.Expect(s.Rollback.Revision).To(BeEquivalentTo(3))
		}},
		{"uninstall", url.Values{"data": {"retain"}}, func(g Gomega, s v1alpha1.AppInstallTaskSpec) {
			g.Expect(s.Uninstall.DataPolicy).To(Equal(v1alpha1.DataRetain))
		}},
	} {
		t.Run(c.action, func(t *testing.T) {
			g := NewWithT(t)
			page := w.b.get(t, instance+"/actions/"+c.action)
			g.Expect(page.StatusCode).To(Equal(http.StatusOK))
			g.Expect(page.text).To(ContainSubstring("kind: AppInstallTask"))
			form := url.Values{"key": {keyField.FindStringSubmatch(page.text)[1]}}
			for name, values := range c.form {
				form[name] = values
			}
			answer := w.b.post(t, instance+"/actions/"+c.action, form)
			g.Expect(answer.StatusCode).To(Equal(http.StatusSeeOther), answer.text)
			location := answer.Header.Get("Location")
			task := w.readTask(t, location[strings.LastIndex(location, "/")+1:])
			g.Expect(task.Spec.AppRef).To(Equal(w.ref))
			g.Expect(task.Spec.InstanceName).To(Equal("wiki"))
			c.check(g, task.Spec)
		})
	}
	g := NewWithT(t)
	before := len(w.taskNames(t))
	remove := url.Values{"key": {"zzzzz"}, "data": {"delete"}, "confirm": {"wik"}}
	refused := w.b.post(t, instance+"/actions/uninstall", remove)
	g.Expect(refused.StatusCode).To(Equal(http.StatusUnprocessableEntity), "data is deleted only with the name of the instance")
	g.Expect(w.b.post(t, instance+"/actions/upgrade", url.Values{"key": {"zzzzz"}, "choice": {"0.1.0"}}).StatusCode).To(Equal(http.StatusUnprocessableEntity))
	g.Expect(w.b.post(t, instance+"/actions/rollback", url.Values{"key": {"zzzzz"}, "choice": {"99"}}).StatusCode).To(Equal(http.StatusUnprocessableEntity))
	g.Expect(w.b.post(t, instance+"/actions/destroy", nil).StatusCode).To(Equal(http.StatusNotFound))
	g.Expect(w.taskNames(t)).To(HaveLen(before))
	remove.Set("confirm", "wiki")
	g.Expect(w.b.post(t, instance+"/actions/uninstall", remove).StatusCode).To(Equal(http.StatusSeeOther))
	g.Expect(w.readTask(t, "uninstall-wiki-zzzzz").Spec.Uninstall.DataPolicy).To(Equal(v1alpha1.DataDelete))
}

func TestInputsOfATask(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	w.addTask(t, w.tenant, "install-wiki-x7k2p", w.ref)
	path := "/tasks/" + w.tenant + "/install-wiki-x7k2p"
	shows(t, w.b, path, "Enter the inputs", "Cancel task")
	g.Expect(w.b.get(t, path+"/inputs").text).To(ContainSubstring("Administrator"))
	wrong := w.b.post(t, path+"/inputs", url.Values{"input.WIKI_ADMIN_EMAIL": {"jane"}})
	g.Expect(wrong.StatusCode).To(Equal(http.StatusUnprocessableEntity))
	g.Expect(wrong.text).To(ContainSubstring(`value="jane"`))
	g.Expect(w.b.post(t, path+"/inputs", url.Values{"input.WIKI_ADMIN_EMAIL": {"jane@example.com"}}).Header.Get("Location")).To(Equal(path))
	email := "jane@example.com"
	g.Expect(w.readTask(t, "install-wiki-x7k2p").Spec.Install.Inputs).To(Equal([]v1alpha1.InputValue{{Name: "WIKI_ADMIN_EMAIL", Value: &email}}))
	g.Expect(w.b.get(t, path+"/cancel").text).To(ContainSubstring("The changes of the task are reverted"))
	g.Expect(w.b.post(t, path+"/cancel", nil).Header.Get("Location")).To(Equal(path))
	g.Expect(*w.readTask(t, "install-wiki-x7k2p").Spec.Cancel).To(BeTrue())
}
