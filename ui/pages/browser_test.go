package pages_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/ui/images"
	"github.com/appmarket/operator/ui/pages"
	"github.com/appmarket/operator/ui/terminal"
)

const browserTests = "../../test/browser"

// TestBrowser runs the tests of test/browser with Chromium on a market with many apps and with an
// instance and a task in each state.
func TestBrowser(t *testing.T) {
	if os.Getenv("BROWSER_TESTS") == "" {
		t.Skip("the tests with a browser run by make test-browser")
	}
	g := NewWithT(t)
	w := newBrowserWorld(t)
	b := w.signIn(t, w.tenant, "jane", append(tenant[:3:3], marketAdmin[1], publisher, logReader, terminalUser,
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps", "events"}, Verbs: []string{"get", "list"}})...)
	w.allowBrowsing(t, "jane")
	shows(t, b, "/apps", "66 apps")
	shows(t, b, "/instances", "Team wiki", "7 instances")

	site, err := json.Marshal(map[string]any{"base": w.server.URL, "cookies": w.cookiesOf(t, b), "paths": w.browserPaths(), "tenant": w.tenant, "signIn": w.startSignInServers(t)})
	g.Expect(err).NotTo(HaveOccurred())
	control := httptest.NewServer(w.controlHandler(t))
	t.Cleanup(control.Close)
	arguments := append([]string{"--test", "--test-concurrency=1"}, strings.Fields(os.Getenv("BROWSER_TESTS_ARGS"))...)
	command := exec.CommandContext(t.Context(), "node", arguments...)
	command.Dir = browserTests
	command.Env = append(os.Environ(), "SITE="+string(site), "CONTROL="+control.URL)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatal("the tests with a browser failed; their output is above")
		}
		t.Fatal(err)
	}
}

// cookiesOf returns the cookies of a signed-in browser.
func (s *site) cookiesOf(t *testing.T, b *browser) []map[string]string {
	t.Helper()
	base, err := url.Parse(s.server.URL)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	var cookies []map[string]string
	for _, cookie := range b.Jar.Cookies(base) {
		cookies = append(cookies, map[string]string{"name": cookie.Name, "value": cookie.Value})
	}
	return cookies
}

// browserPaths returns the addresses of all pages, by the names of their pictures.
func (w world) browserPaths() map[string]string {
	app, instance := "/apps/"+w.market+"/samples/wiki", "/instances/"+w.tenant+"/wiki"
	long := "/instances/" + w.tenant + "/" + longName
	return map[string]string{
		"discover": "/apps", "discover-second": "/apps?page=2", "discover-filtered": "/apps?category=AI&q=a", "discover-nothing": "/apps?q=nothing-has-this-name",
		"app": app, "app-versions": app + "/versions", "app-compare": app + "/versions?from=1.0.0&to=1.2.0", "app-images": app + "/images", "app-permissions": app + "/permissions", "app-values": app + "/values",
		"app-failed": "/apps/" + w.market + "/samples/broken", "app-hostile": "/apps/" + w.market + "/samples/evil", "app-long": "/apps/" + w.market + "/samples/" + longName,
		"installed": "/instances", "installed-empty": "/instances?find=nothing",
		"instance": instance, "instance-objects": instance + "/objects", "instance-object": instance + "/objects?object=v1+ConfigMap+" + w.tenant + "+wiki",
		"instance-events": instance + "/events", "instance-history": instance + "/history", "instance-logs": instance + "/logs", "instance-terminal": instance + "/terminal", "instance-values": instance + "/values",
		"instance-drift": instance + "/drift", "instance-yaml": instance + "/yaml", "instance-long": long, "instance-running": "/instances/" + w.tenant + "/board", "instance-update": "/instances/" + w.tenant + "/notes", "instance-old": "/instances/" + w.tenant + "/old-wiki",
		"tasks": "/tasks", "task-waiting": "/tasks/" + w.tenant + "/install-wiki-x7k2p", "task-failed": "/tasks/" + w.tenant + "/upgrade-board-2f8rk",
		"task-succeeded": "/tasks/" + w.tenant + "/install-board-9qd4m", "task-check": "/tasks/" + w.tenant + "/check-board-5k2wd", "tasks-checks": "/tasks?dryRuns=1",
		"instance-record": "/instances/" + w.tenant + "/record",
		"upgrades":        "/upgrades", "task-delete": "/tasks/" + w.tenant + "/install-board-9qd4m/delete", "instance-policy": instance + "/changes/drift",
		"app-feature": app + "/changes/feature", "app-parameters": app + "/changes/parameters", "instance-effective": instance + "/values?effective=1",
		"sources": "/sources", "source": "/sources/" + w.market + "/samples", "source-own": "/sources/" + w.tenant + "/own", "source-uploads": "/sources/" + w.tenant + "/uploads", "about": "/about", "settings": "/settings",
		"not-found": "/nothing", "forbidden": "/instances/" + w.other + "/secret", "namespace-forbidden": "/instances?namespace=" + w.other,
	}
}

// controlHandler lets the tests change objects and break connections.
func (w browserWorld) controlHandler(t *testing.T) http.Handler {
	mux := http.NewServeMux()
	handle := func(path string, act func(query url.Values) error) {
		mux.HandleFunc("POST "+path, func(response http.ResponseWriter, r *http.Request) {
			if err := act(r.URL.Query()); err != nil {
				http.Error(response, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	handle("/message", func(query url.Values) error { // The message of the instance wiki.
		instance := &v1alpha1.AppInstance{}
		if err := w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.tenant, Name: "wiki"}, instance); err != nil {
			return err
		}
		instance.Status.Conditions[0].Message, instance.Status.Conditions[3].Message = query.Get("text"), query.Get("text")
		return w.Client.Status().Update(t.Context(), instance)
	})
	handle("/update", func(query url.Values) error { // The description of the app notes.
		app := &v1alpha1.AppInfo{}
		if err := w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.market, Name: "samples.notes"}, app); err != nil {
			return err
		}
		app.Status.Summary.Description = query.Get("text")
		return w.Client.Status().Update(t.Context(), app)
	})
	w.addViewControls(t, handle)
	handle("/end-checks", func(url.Values) error { // All checks of the tenant, with the plan of an operation.
		var found v1alpha1.AppInstallTaskList
		if err := w.Client.List(t.Context(), &found, client.InNamespace(w.tenant)); err != nil {
			return err
		}
		for i := range found.Items {
			if task := &found.Items[i]; task.IsDryRun() && !task.Finished() {
				task.Status = endedStatus(task, planned(task.Namespace))
				if err := w.Client.Status().Update(t.Context(), task); err != nil {
					return err
				}
			}
		}
		return nil
	})
	handle("/log", func(query url.Values) error { // A line of the logs that are followed.
		w.kubelet.lines <- query.Get("text")
		return nil
	})
	handle("/kill", func(url.Values) error { // All shells.
		w.kubelet.killShells()
		return nil
	})
	handle("/disconnect", func(url.Values) error {
		w.closeConnections()
		return nil
	})
	return mux
}

// longName is as long as the name of an instance can be.
var longName = strings.Repeat("a-very-long-name-", 2) + "of-app"

type browserWorld struct {
	world

	kubelet *kubelet
}

// newBrowserWorld returns a market with many apps and a tenant with an instance and a task in each state.
func newBrowserWorld(t *testing.T) browserWorld {
	t.Helper()
	charts := startUploads(t)
	w := browserWorld{world: newWorld(t, false, func(o *pages.Options) {
		o.RepositoryURL = charts.URL
		o.Images = images.New(netguard.Policy{Loopback: true}, "test")
		o.Terminals = terminal.NewManager(terminal.Options{PingPeriod: time.Second, ConfirmPeriod: 15 * time.Second})
	})}
	w.addIcons(t)
	w.other = w.Namespace(t, nil)
	w.addInstance(t, w.other, "secret", w.ref)
	titles := []string{"AnythingLLM", "Appsmith", "AstrBot", "AudioBookShelf", "Awesome Digital Human", "Bazarr", "Bifrost", "BISHENG", "Blinko", "Bytebase", "Changedetection", "Chaos Mesh"}
	for i := range 60 {
		summary := v1alpha1.AppSummary{
			Title: titles[i%len(titles)], Developer: "Samples Ltd", Description: "Admin panels, internal tools and dashboards for a team that works together",
			Categories: []string{[]string{"Utilities", "AI", "Database", "Fun"}[i%4]}, Architectures: []string{"amd64", "arm64"}[:1+i%2], Type: "app", ImageCount: 1,
		}
		if i%4 != 3 { // The others have a letter, and one of the icons cannot be fetched.
			summary.Icon = fmt.Sprintf("%s/icons/%d.png", w.reports.URL, i%4)
		}
		if i%7 == 2 {
			summary.Resources = &v1alpha1.AppResources{GPU: "8Gi"}
		}
		w.addApp(t, w.market, "samples", fmt.Sprintf("app%d", i), summary)
	}
	w.addApp(t, w.market, "samples", "board", v1alpha1.AppSummary{
		Title: "Board", Description: "Cards on a board", Developer: "Samples Ltd", Categories: []string{"Tools"},
		Inputs: []v1alpha1.Input{{Name: "BOARD_PASSWORD", Type: "password", Secret: true}},
	})
	w.addApp(t, w.market, "samples", longName, v1alpha1.AppSummary{
		Title: strings.Repeat("Longtitle", 20), Developer: strings.Repeat("Developer", 12), Description: strings.Repeat("Word", 300),
		Categories: []string{strings.Repeat("Category", 10)}, Licenses: []string{strings.Repeat("L", 90)},
		Dependencies: []v1alpha1.AppDependency{{Name: strings.Repeat("d", 60), Version: ">=1.0.0-" + strings.Repeat("1", 40)}},
	})
	w.addApp(t, w.market, "samples", "evil", v1alpha1.AppSummary{Title: attack, Developer: attack, Description: attack, Categories: []string{attack[:90]}, Warnings: []string{attack}})
	w.setReadme(wikiReadme)
	w.addOldVersion(t, w.readApp(t, "wiki"))
	w.addReports(t)
	w.addSource(t, w.tenant, "own")
	w.addUploadSource(t, w.tenant, "uploads")
	ref := func(name string) v1alpha1.AppReference {
		return v1alpha1.AppReference{Namespace: w.market, Source: "samples", Name: name}
	}
	w.describeWiki(t)
	w.kubelet = startKubelet(t, w.site, "node")
	w.addPod(t, w.tenant, "wiki", "wiki-7c9d5-abcde", "node")
	w.addInstance(t, w.tenant, "board", ref("board"), func(i *v1alpha1.AppInstance) {
		i.Status.Entrances = []v1alpha1.Entrance{
			{Name: "web", Title: "Board", Host: "board", Port: 80, URL: "https://board.example.com/"}, {Name: "admin", Title: "Administration", Host: "board-admin", Port: 8080},
		}
	})
	w.addRecord(t, w.tenant, "record", ref("app3"))
	w.addInstance(t, w.tenant, "notes", ref("notes"), func(i *v1alpha1.AppInstance) { i.Status.Version, i.Status.AvailableUpdate = "1.1.0", "1.2.0" })
	w.addInstance(t, w.tenant, "old-wiki", w.ref, func(i *v1alpha1.AppInstance) { i.Status.Version, i.Status.AvailableUpdate = "1.0.0", "1.2.0" })
	w.addInstance(t, w.tenant, longName, ref(longName), func(i *v1alpha1.AppInstance) {
		makeUnhealthy(i)
		i.Status.Conditions[0].Message = strings.Repeat("x", 400)
		i.Status.Conditions[3].Message = strings.Repeat("x", 400)
	})
	w.addInstanceWith(t, w.tenant, "stopped", v1alpha1.AppInstanceSpec{AppRef: ref("app1"), DesiredState: v1alpha1.StateStopped}, func(i *v1alpha1.AppInstance) {
		i.Status.Conditions[0] = condition("Ready", "False", "Stopped", "the instance is stopped")
	})
	w.addInstance(t, w.tenant, "new", ref("app2"), func(i *v1alpha1.AppInstance) {
		i.Status.Version, i.Status.Revision, i.Status.Releases, i.Status.Inventory, i.Status.Entrances = "", 0, nil, nil, nil
		i.Status.Conditions = []metav1.Condition{
			condition("Ready", "Unknown", "Progressing", "the app is installed"), condition("Reconciling", "True", "Progressing", "the app is installed"), condition("Resolved", "True", "Resolved", ""),
		}
	})
	w.addTasks(t, ref)
	return w
}

const wikiReadme = "# Wiki\n\nA wiki for *teams*. See the [documentation](https://example.com/docs).\n\n| name | value |\n|---|---|\n| replicas | 1 |\n| " +
	"a_very_long_name_of_a_value_without_a_space | another_very_long_value_without_any_space_in_it |\n\n```yaml\nreplicas: 1 # a long comment that does not fit into a narrow window, which scrolls then\n```\n\n" +
	"## Use\n\n- one\n- two\n\n> Quoted\n\n<script>document.title = 'hacked'</script><img src=x onerror=alert(1)>\n"

// addIcons serves icons of different sizes, with a transparent background.
func (w browserWorld) addIcons(t *testing.T) {
	t.Helper()
	for i, side := range []int{512, 48} {
		picture := image.NewNRGBA(image.Rect(0, 0, side, side))
		for y := range side {
			for x := range side {
				if d := (x-side/2)*(x-side/2) + (y-side/2)*(y-side/2); d < side*side/5 {
					picture.Set(x, y, color.NRGBA{uint8(40 + 90*i), uint8(200 * y / side), 160, 255})
				}
			}
		}
		var out bytes.Buffer
		NewWithT(t).Expect(png.Encode(&out, picture)).To(Succeed())
		w.reports.mu.Lock()
		w.reports.texts[fmt.Sprintf("/icons/%d.png", i)] = out.String()
		w.reports.mu.Unlock()
	}
}

func (w browserWorld) setReadme(text string) {
	w.reports.mu.Lock()
	defer w.reports.mu.Unlock()
	w.reports.texts["/reports/"+digest+"/README.md"] = text
	w.reports.texts["/reports/"+digest+"/values.yaml"] = "# Replicas of the wiki\nreplicas: 1\nimage:\n  tag: 1.2.0\n"
}

// describeWiki gives the instance wiki what each of its pages shows.
func (w browserWorld) describeWiki(t *testing.T) {
	t.Helper()
	g := NewWithT(t)
	w.Create(t,
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.tenant, Name: "wiki"}, Data: map[string]string{"page": attack}},
		&corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{Namespace: w.tenant, Name: "wiki.1"},
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: w.tenant, Name: "wiki-7c9d5-abcde"},
			Type:           corev1.EventTypeWarning, Reason: "Failed", Message: `Failed to pull image "registry.example/wiki:2.3.1": not found`, Count: 4, LastTimestamp: metav1.Now(),
		})
	instance := &v1alpha1.AppInstance{}
	g.Expect(w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.tenant, Name: "wiki"}, instance)).To(Succeed())
	language := "en"
	instance.Spec.Title = "Team wiki"
	instance.Spec.DriftPolicy = v1alpha1.DriftWarn
	instance.Spec.Values = &runtime.RawExtension{Raw: []byte(`{"replicas":2,"image":{"tag":"2.3.1"}}`)}
	instance.Spec.Inputs = []v1alpha1.InputValue{
		{Name: "WIKI_LANGUAGE", Value: &language},
		{Name: "WIKI_ADMIN_PASSWORD", ValueFrom: &v1alpha1.InputValueSource{SecretKeyRef: &v1alpha1.KeyReference{Name: "wiki-inputs", Key: "WIKI_ADMIN_PASSWORD"}}},
	}
	g.Expect(w.Client.Update(t.Context(), instance)).To(Succeed())
	begun := metav1.NewTime(time.Now().Add(-26 * time.Hour))
	instance.Status.ObservedGeneration = instance.Generation
	for i := range instance.Status.Conditions {
		instance.Status.Conditions[i].ObservedGeneration = instance.Generation
	}
	instance.Status.Inventory.Objects = append(instance.Status.Inventory.Objects,
		v1alpha1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: w.tenant, Name: "wiki"},
		v1alpha1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: w.tenant, Name: "wiki"})
	instance.Status.Inventory.Total = 3
	instance.Status.Outputs = []v1alpha1.Output{{Name: "entrances.web.host", Value: "wiki." + w.tenant + ".svc.cluster.local"}}
	instance.Status.Drift = []v1alpha1.DriftedObject{{
		Object: v1alpha1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: w.tenant, Name: "wiki"}, Fields: []string{"spec.replicas", "spec.template.spec.containers[0].image"},
	}}
	instance.Status.Conditions = append(instance.Status.Conditions, condition("Drifted", "True", "Drifted", "1 object differs"))
	instance.Status.History = []v1alpha1.HistoryEntry{
		{Operation: v1alpha1.Operation{Type: v1alpha1.OperationUpgrade, Version: "2.3.1", StartedAt: begun, Task: "upgrade-wiki-2f8rk"}, Outcome: "Failed", Reason: "Unhealthy", Message: "Deployment/wiki: 0 of 1 replicas are ready", EndedAt: begun},
		{Operation: v1alpha1.Operation{Type: v1alpha1.OperationInstall, Version: "2.3.0", StartedAt: begun, Task: "install-wiki-x7k2p"}, Outcome: "Succeeded", Revision: 3, EndedAt: begun},
	}
	g.Expect(w.Client.Status().Update(t.Context(), instance)).To(Succeed())
}

// addTasks adds a task that failed, one that succeeded and one that is queued.
func (w browserWorld) addTasks(t *testing.T, ref func(string) v1alpha1.AppReference) {
	t.Helper()
	for _, each := range []struct {
		name   string
		action v1alpha1.Action
		status v1alpha1.AppInstallTaskStatus
	}{
		{"upgrade-board-2f8rk", v1alpha1.ActionUpgrade, v1alpha1.AppInstallTaskStatus{
			Preflight: []v1alpha1.Problem{{
				Reason: "PermissionDenied", Message: "serviceaccount \"default\" cannot create roles.rbac.authorization.k8s.io in namespace \"" + w.tenant + "\"",
				Remedy: "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: appmarket-board\nrules:\n- apiGroups: [rbac.authorization.k8s.io]\n  resources: [roles]\n  verbs: [create]\n",
			}},
			Conditions: []metav1.Condition{
				condition("Succeeded", "False", "PermissionDenied", "the task was rejected with 1 problem, see status.preflight"),
				condition("Admitted", "False", "PermissionDenied", "the task was rejected with 1 problem, see status.preflight"), condition("Stalled", "True", "PermissionDenied", ""),
			},
		}},
		{"install-board-9qd4m", v1alpha1.ActionInstall, v1alpha1.AppInstallTaskStatus{
			Version: "1.2.0", InstanceRef: &v1alpha1.InstanceReference{Name: "board"},
			Conditions: []metav1.Condition{
				condition("Succeeded", "True", "Succeeded", "running version 1.2.0"), condition("Admitted", "True", "Admitted", ""),
				condition("Resolved", "True", "Resolved", ""), condition("Applied", "True", "Applied", ""), condition("Healthy", "True", "Healthy", ""),
			},
		}},
		{"stop-board-x2", v1alpha1.ActionStop, v1alpha1.AppInstallTaskStatus{
			QueuePosition: 2, Conditions: []metav1.Condition{
				condition("Succeeded", "Unknown", "WaitingForTurn", "2 tasks are executed first"), condition("Reconciling", "True", "WaitingForTurn", "2 tasks are executed first"),
			},
		}},
		{"check-board-5k2wd", v1alpha1.ActionUpgrade, planned(w.tenant)},
	} {
		task := &v1alpha1.AppInstallTask{ObjectMeta: metav1.ObjectMeta{Namespace: w.tenant, Name: each.name}, Spec: v1alpha1.AppInstallTaskSpec{Action: each.action, AppRef: ref("board"), InstanceName: "board"}}
		if each.status.Plan != nil {
			task.Spec.DryRun = new(true)
		}
		w.create(t, task, func() {
			task.Status = each.status
			task.Status.ObservedGeneration, task.Status.InstanceName = 1, "board"
			if task.Status.Conditions[0].Status != metav1.ConditionUnknown {
				now := metav1.NewTime(time.Now().Add(7 * time.Second))
				task.Status.StartTime, task.Status.CompletionTime = &now, &now
			}
		})
	}
}
