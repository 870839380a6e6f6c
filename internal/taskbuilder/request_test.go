package taskbuilder_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
)

// requestFor returns a request for the instance wiki.
func requestFor(action v1alpha1.Action, change ...func(*taskbuilder.Request)) taskbuilder.Request {
	r := taskbuilder.Request{
		Action: action, Namespace: "demo", Instance: "wiki", Suffix: "x7k2p",
		App: v1alpha1.AppReference{Namespace: "market", Source: "samples", Name: "wiki"},
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

func withVersion(r *taskbuilder.Request) { r.Version = "2.0.1" }

func withTitle(r *taskbuilder.Request) { r.Configuration.Title = "Wiki" }

func TestNewTaskSetsTheMemberOfTheAction(t *testing.T) {
	yes := true
	for _, c := range []struct {
		why  string
		of   taskbuilder.Request
		want v1alpha1.AppInstallTaskSpec
	}{
		{"an installation without parameters has no member", requestFor(v1alpha1.ActionInstall), v1alpha1.AppInstallTaskSpec{}},
		{"an installation", requestFor(v1alpha1.ActionInstall, withVersion, withTitle), v1alpha1.AppInstallTaskSpec{
			Install: &v1alpha1.AppParameters{Version: "2.0.1", AppConfiguration: v1alpha1.AppConfiguration{Title: "Wiki"}}}},
		{"an adoption", requestFor(v1alpha1.ActionAdopt, withVersion), v1alpha1.AppInstallTaskSpec{Adopt: &v1alpha1.AppParameters{Version: "2.0.1"}}},
		{"an upgrade to an older version", requestFor(v1alpha1.ActionUpgrade, withVersion, func(r *taskbuilder.Request) { r.AllowDowngrade = true }),
			v1alpha1.AppInstallTaskSpec{Upgrade: &v1alpha1.UpgradeParameters{AppParameters: v1alpha1.AppParameters{Version: "2.0.1"}, AllowDowngrade: &yes}}},
		{"a configuration", requestFor(v1alpha1.ActionConfigure, withTitle), v1alpha1.AppInstallTaskSpec{Configure: &v1alpha1.AppConfiguration{Title: "Wiki"}}},
		{"a rollback", requestFor(v1alpha1.ActionRollback, func(r *taskbuilder.Request) { r.Revision = 3 }),
			v1alpha1.AppInstallTaskSpec{Rollback: &v1alpha1.RollbackParameters{Revision: 3}}},
		{"a clone always has a member", requestFor(v1alpha1.ActionClone, func(r *taskbuilder.Request) { r.CloneFrom.Name = "other" }),
			v1alpha1.AppInstallTaskSpec{Clone: &v1alpha1.CloneParameters{From: v1alpha1.CloneSource{Name: "other"}}}},
		{"an uninstallation", requestFor(v1alpha1.ActionUninstall, func(r *taskbuilder.Request) { r.Uninstall.DataPolicy = v1alpha1.DataDelete }),
			v1alpha1.AppInstallTaskSpec{Uninstall: &v1alpha1.UninstallParameters{DataPolicy: v1alpha1.DataDelete}}},
		{"an action without parameters", requestFor(v1alpha1.ActionStop), v1alpha1.AppInstallTaskSpec{}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			task, err := taskbuilder.NewTask(c.of)
			g.Expect(err).NotTo(HaveOccurred())
			c.want.Action, c.want.AppRef, c.want.InstanceName = c.of.Action, c.of.App, "wiki"
			g.Expect(task.Spec).To(Equal(c.want))
		})
	}
}

func TestNewTaskRejectsParametersOfAnotherAction(t *testing.T) {
	for _, c := range []struct {
		of   taskbuilder.Request
		want string
	}{
		{requestFor(v1alpha1.ActionStop, withVersion), "action Stop does not have a version"},
		{requestFor(v1alpha1.ActionConfigure, withVersion), "action Configure does not have a version"},
		{requestFor(v1alpha1.ActionRollback, withTitle), "action Rollback does not have values, inputs or titles"},
		{requestFor(v1alpha1.ActionInstall, func(r *taskbuilder.Request) { r.AllowDowngrade = true }), "action Install does not have a downgrade"},
		{requestFor(v1alpha1.ActionUpgrade, func(r *taskbuilder.Request) { r.Revision = 1 }), "action Upgrade does not have a revision"},
		{requestFor(v1alpha1.ActionInstall, func(r *taskbuilder.Request) { r.CloneFrom.Name = "x" }), "action Install does not have an instance to clone"},
		{requestFor(v1alpha1.ActionInstall, func(r *taskbuilder.Request) { r.Uninstall.DataPolicy = "Delete" }), "action Install does not have parameters of an uninstallation"},
	} {
		_, err := taskbuilder.NewTask(c.of)
		NewWithT(t).Expect(err).To(MatchError(c.want))
	}
}

func TestNewTaskNamesTheTask(t *testing.T) {
	g := NewWithT(t)
	task, err := taskbuilder.NewTask(requestFor(v1alpha1.ActionInstall, func(r *taskbuilder.Request) {
		r.Instance, r.App.Namespace = "", ""
		r.Timeout, r.StartDeadline, r.TTL = 90*time.Second, time.Hour, 1000*24*time.Hour
	}))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(task.Name).To(Equal("install-wiki-x7k2p"))
	g.Expect(task.Spec.InstanceName).To(BeEmpty())
	g.Expect(task.Spec.AppRef.Namespace).To(BeEmpty(), "the reference of an instance is kept as it is")
	g.Expect(task.Spec.Timeout).To(BeEquivalentTo("1m30s"))
	g.Expect(task.Spec.StartDeadline).To(BeEquivalentTo("1h0m0s"))
	g.Expect(*task.Spec.TTLSecondsAfterFinished).To(BeEquivalentTo(31536000), "a longer time is cut to the maximum of the field")
	g.Expect(len(taskbuilder.TaskName(v1alpha1.ActionInstall, string(make([]byte, 253)), "x7k2p"))).To(BeNumerically("<=", 253))
}

func TestNewRetryRepeatsTheRequest(t *testing.T) {
	g := NewWithT(t)
	task, err := taskbuilder.NewTask(requestFor(v1alpha1.ActionUpgrade, withVersion))
	g.Expect(err).NotTo(HaveOccurred())
	yes := true
	task.UID, task.ResourceVersion, task.Spec.Cancel, task.Spec.Suspend = "1", "2", &yes, &yes
	task.Status.Version = "2.0.1"
	again := taskbuilder.NewRetry(task, "bbbbb")
	want, err := taskbuilder.NewTask(requestFor(v1alpha1.ActionUpgrade, withVersion, func(r *taskbuilder.Request) { r.Suffix = "bbbbb" }))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again).To(Equal(want))
}

func TestInputsSecretHasAKeyForEachInput(t *testing.T) {
	g := NewWithT(t)
	texts := map[string]string{"B": "two", "A": "one"}
	secret := taskbuilder.NewInputsSecret("demo", "wiki", texts)
	g.Expect(secret.Name).To(Equal("wiki-inputs"))
	g.Expect(secret.Labels).To(HaveKeyWithValue(v1alpha1.InstanceLabel, "wiki"))
	g.Expect(secret.StringData).To(Equal(texts))
	g.Expect(taskbuilder.SecretInputs("wiki", texts)).To(Equal([]v1alpha1.InputValue{
		taskbuilder.SecretInput("A", "wiki-inputs", "A"), taskbuilder.SecretInput("B", "wiki-inputs", "B"),
	}))
}

func TestMergeInputsReplacesByName(t *testing.T) {
	one, two, three := "1", "2", "3"
	given := []v1alpha1.InputValue{{Name: "A", Value: &one}, {Name: "B", Value: &two}}
	NewWithT(t).Expect(taskbuilder.MergeInputs(given, []v1alpha1.InputValue{{Name: "A", Value: &three}, {Name: "C", Value: &one}})).To(Equal(
		[]v1alpha1.InputValue{{Name: "A", Value: &three}, {Name: "B", Value: &two}, {Name: "C", Value: &one}}))
	NewWithT(t).Expect(*given[0].Value).To(Equal("1"), "the given list is not changed")
}

func TestManifestIsWhatKubectlApplies(t *testing.T) {
	g := NewWithT(t)
	task, err := taskbuilder.NewTask(requestFor(v1alpha1.ActionInstall, func(r *taskbuilder.Request) {
		r.Configuration.Values = &runtime.RawExtension{Raw: []byte(`{"replicas":2}`)}
	}))
	g.Expect(err).NotTo(HaveOccurred())
	text, err := taskbuilder.Manifest(taskbuilder.NewObjects(task, true)...)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(text).To(Equal(`apiVersion: v1
kind: Secret
metadata:
  labels:
    app.kubernetes.io/managed-by: appmarket
    appmarket.io/instance: wiki
  name: wiki-inputs
  namespace: demo
type: Opaque
---
apiVersion: appmarket.io/v1alpha1
kind: AppInstallTask
metadata:
  name: install-wiki-x7k2p
  namespace: demo
spec:
  action: Install
  appRef:
    name: wiki
    namespace: market
    source: samples
  install:
    values:
      replicas: 2
  instanceName: wiki
`))
}

func TestReferencesAreParsedAsTheyArePrinted(t *testing.T) {
	g := NewWithT(t)
	for _, text := range []string{"secret/wiki/values.yaml", "configmap/base/more.yaml,optional"} {
		ref, err := taskbuilder.ParseValuesReference(text)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(taskbuilder.ValuesReferenceText(ref)).To(Equal(text))
	}
	for _, text := range []string{"secret/db/password", "configmap/db/host", "output/db/entrances.web.host"} {
		from, err := taskbuilder.ParseInputSource(text)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(taskbuilder.InputSourceText(from)).To(Equal(text))
	}
	short, err := taskbuilder.ParseValuesReference("ConfigMap/base")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(short.Key).To(Equal("values.yaml"))
	for _, wrong := range []string{"", "wiki", "secret/", "pod/wiki/x"} {
		g.Expect(taskbuilder.ParseValuesReference(wrong)).Error().To(HaveOccurred(), wrong)
	}
	for _, wrong := range []string{"", "secret/db", "pod/db/x"} {
		g.Expect(taskbuilder.ParseInputSource(wrong)).Error().To(HaveOccurred(), wrong)
	}
}
