package pages_test

import (
	"context"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// digest is the digest of the reports of all apps of these tests.
var digest = strings.Repeat("ab", 32)

func condition(name string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: name, Status: status, Reason: reason, Message: message, ObservedGeneration: 1, LastTransitionTime: metav1.Now()}
}

// create creates an object with its status.
func (s *site) create(t *testing.T, object client.Object, setStatus func()) {
	t.Helper()
	s.Create(t, object)
	setStatus()
	NewWithT(t).Expect(s.Client.Status().Update(t.Context(), object)).To(Succeed())
}

// addSource creates a source in a namespace.
func (s *site) addSource(t *testing.T, namespace, name string) *v1alpha1.MarketSource {
	t.Helper()
	source := &v1alpha1.MarketSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.MarketSourceSpec{
			Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: "https://charts.example.com"},
			AllowedNamespaces: &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll},
		},
	}
	now := metav1.Now()
	s.create(t, source, func() {
		source.Status.Apps = &v1alpha1.AppCounts{Total: 8, Ready: 7, Failed: 1}
		source.Status.LastSyncTime = &now
		source.Status.RepositoryURL = "http://127.0.0.1:8879/" + namespace + "/" + name
		source.Status.Failures = []v1alpha1.AppFailure{{App: "broken", Condition: "Rendered", Reason: "RenderFailed", Message: "templates/x.yaml:3: nil pointer"}}
		source.Status.Conditions = []metav1.Condition{
			condition("Ready", "True", "Ready", "7 of 8 apps are served"), condition("Reachable", "True", "Reachable", ""), condition("Indexed", "True", "Indexed", ""),
		}
	})
	return source
}

// deleteAfter deletes an app at the end of a test, so that the list of all apps has one page in each test.
func (s *site) deleteAfter(t *testing.T, app *v1alpha1.AppInfo) {
	t.Helper()
	t.Cleanup(func() { NewWithT(t).Expect(s.Client.Delete(context.Background(), app)).To(Succeed()) })
}

// addApp creates an app that is published in version 1.2.0.
func (s *site) addApp(t *testing.T, namespace, source, name string, summary v1alpha1.AppSummary) *v1alpha1.AppInfo {
	t.Helper()
	app := &v1alpha1.AppInfo{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: source + "." + name},
		Spec:       v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: source}, App: name},
	}
	published := metav1.NewTime(time.Now().Add(-72 * time.Hour))
	s.create(t, app, func() {
		app.Status.SelectedVersion = "1.2.0"
		app.Status.Summary = &summary
		app.Status.Versions = []v1alpha1.PublishedVersion{{
			Version: "1.2.0", AppVersion: "2026.1", Digest: "sha256:" + digest, PublishedAt: &published, ImageCount: 1,
			ReportURL: s.reports.URL + "/reports/" + digest + "/",
		}}
		app.Status.Images = []v1alpha1.AppImage{{Name: "registry.example/" + name + ":1.2.0", Platforms: []string{"linux/amd64"}, LargestPlatformBytes: 412e6}}
		app.Status.Conditions = []metav1.Condition{condition("Ready", "True", "Ready", "version 1.2.0 is served")}
	})
	s.deleteAfter(t, app)
	return app
}

// addFailedApp creates an app that could not be rendered.
func (s *site) addFailedApp(t *testing.T, namespace, source, name string) {
	t.Helper()
	app := &v1alpha1.AppInfo{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: source + "." + name},
		Spec:       v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: source}, App: name},
	}
	s.create(t, app, func() {
		app.Status.Conditions = []metav1.Condition{
			condition("Ready", "False", "RenderFailed", "templates/x.yaml:3: nil pointer"), condition("Fetched", "True", "Fetched", ""),
			condition("Rendered", "False", "RenderFailed", "templates/x.yaml:3: nil pointer evaluating interface"), condition("Stalled", "True", "RenderFailed", ""),
		}
	})
	s.deleteAfter(t, app)
}

// addInstance creates an instance that runs.
func (s *site) addInstance(t *testing.T, namespace, name string, ref v1alpha1.AppReference, change ...func(*v1alpha1.AppInstance)) *v1alpha1.AppInstance {
	t.Helper()
	return s.addInstanceWith(t, namespace, name, v1alpha1.AppInstanceSpec{AppRef: ref}, change...)
}

// addInstanceWith creates an instance with a spec.
func (s *site) addInstanceWith(t *testing.T, namespace, name string, spec v1alpha1.AppInstanceSpec, change ...func(*v1alpha1.AppInstance)) *v1alpha1.AppInstance {
	t.Helper()
	instance := &v1alpha1.AppInstance{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: spec}
	s.create(t, instance, func() {
		instance.Status = v1alpha1.AppInstanceStatus{
			ObservedGeneration: instance.Generation, Revision: 4, Version: "1.2.0",
			Releases:  []v1alpha1.Release{{Name: name, Revision: 4, Status: "deployed"}},
			Inventory: &v1alpha1.Inventory{Total: 1, Ready: 1, Objects: []v1alpha1.ObjectReference{{APIVersion: "v1", Kind: "Secret", Namespace: namespace, Name: name}}},
			Entrances: []v1alpha1.Entrance{{Name: "web", Title: "Wiki", Host: name, Port: 8080}},
			Conditions: []metav1.Condition{
				condition("Ready", "True", "Ready", "version 1.2.0 is installed"), condition("Resolved", "True", "Resolved", ""),
				condition("Applied", "True", "Applied", ""), condition("Healthy", "True", "Healthy", ""),
			},
		}
		for _, each := range change {
			each(instance)
		}
	})
	return instance
}

// makeUnhealthy gives an instance a Deployment that is not ready.
func makeUnhealthy(instance *v1alpha1.AppInstance) {
	const message = "Deployment/wiki: 0 of 1 replicas are ready: image registry.example/wiki:2.3.1 was not found"
	instance.Status.Inventory.Total = 2
	instance.Status.Inventory.Unready = []v1alpha1.UnreadyObject{{
		Object: v1alpha1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: instance.Namespace, Name: "wiki"},
		Status: v1alpha1.ObjectInProgress, Message: "0 of 1 replicas are ready",
	}}
	instance.Status.Claims = []v1alpha1.VolumeClaim{{Name: "data-wiki-0", Storage: "5Gi", OnRemoval: v1alpha1.ClaimRetained}}
	instance.Status.Conditions[0] = condition("Ready", "False", "Unhealthy", message)
	instance.Status.Conditions[3] = condition("Healthy", "False", "Unhealthy", message)
	instance.Status.AvailableUpdate = "2.4.0"
}

// addTask creates a task that waits for an input.
func (s *site) addTask(t *testing.T, namespace, name string, ref v1alpha1.AppReference) *v1alpha1.AppInstallTask {
	t.Helper()
	task := &v1alpha1.AppInstallTask{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: map[string]string{v1alpha1.RequestedByAnnotation: "jane@example.com"}},
		Spec:       v1alpha1.AppInstallTaskSpec{Action: v1alpha1.ActionInstall, AppRef: ref, StartDeadline: "1h"},
	}
	s.create(t, task, func() {
		task.Status = v1alpha1.AppInstallTaskStatus{
			ObservedGeneration: 1, InstanceName: ref.Name,
			RequiredInputs: []v1alpha1.Input{{Name: "WIKI_ADMIN_EMAIL", Type: "email", Title: "Administrator", Required: true, Problem: "a value is required"}},
			Preflight:      []v1alpha1.Problem{{Reason: "PermissionDenied", Message: "account default may not create Roles", Remedy: "kind: Role\n"}},
			Conditions: []metav1.Condition{
				condition("Succeeded", "Unknown", "WaitingForInput", "1 of 5 inputs is missing"), condition("Reconciling", "True", "WaitingForInput", "1 of 5 inputs is missing"),
			},
		}
	})
	return task
}
