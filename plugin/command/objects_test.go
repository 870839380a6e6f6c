package command_test

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// condition returns a condition whose message is empty.
func condition(name string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{
		Type: name, Status: status, Reason: reason, Message: message, ObservedGeneration: 1,
		LastTransitionTime: metav1.NewTime(time.Now().Truncate(time.Second)),
	}
}

// signed returns the verdict on a chart that the release process of its developers has signed.
func signed() *v1alpha1.SignatureVerdict {
	return &v1alpha1.SignatureVerdict{
		Provider: v1alpha1.VerificationProviderCosign, Identity: "release@samples.example", Issuer: "https://accounts.samples.example",
	}
}

// newApp returns an app of the source samples.
func newApp(namespace, name, version, description string) *v1alpha1.AppInfo {
	return &v1alpha1.AppInfo{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "samples." + name, Labels: map[string]string{v1alpha1.SourceLabel: "samples", v1alpha1.AppLabel: name},
		},
		Spec: v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: "samples"}, App: name},
		Status: v1alpha1.AppInfoStatus{
			Conditions:      []metav1.Condition{condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "serving "+version)},
			SelectedVersion: version,
			Summary: &v1alpha1.AppSummary{
				Title: name, AppVersion: "2.4", Description: description, Categories: []string{"Tools"}, Keywords: []string{"notebook"}, Developer: "Samples Ltd",
				Architectures: []string{"amd64", "arm64"}, ImageCount: 1,
				Dependencies: []v1alpha1.AppDependency{{Name: "store", Version: ">=1.0.0", Required: true}},
				Inputs: []v1alpha1.Input{
					{Name: "WIKI_ADMIN_EMAIL", Type: "email", Description: "Address of the administrator", Required: true},
					{Name: "WIKI_ADMIN_PASSWORD", Type: "password", Description: "Password of the administrator", Required: true, Secret: true},
					{Name: "WIKI_LANGUAGE", Type: "string", Default: "en", Options: []v1alpha1.InputOption{{Value: "en"}, {Value: "zh"}}},
				},
				Footprint: &v1alpha1.AppFootprint{PullBytes: 21_400_000, PullSizes: []v1alpha1.PlatformPullSize{
					{Platform: "linux/amd64", Bytes: new(int64(21_400_000))}, {Platform: "linux/arm64", Bytes: new(int64(20_100_000))},
				}},
				Kinds: []v1alpha1.KindCount{{Kind: "Deployment.apps", Count: 1}, {Kind: "Service", Count: 1}},
			},
			Versions: []v1alpha1.PublishedVersion{{Version: version, AppVersion: "2.4", Digest: "sha256:1", ImageCount: 1, Verification: signed()}, {Version: "0.9.0", Digest: "sha256:2", Deprecated: true}},
			Images: []v1alpha1.AppImage{
				{Name: "registry.example/" + name + ":" + version, Platforms: []string{"linux/amd64", "linux/arm64"}, LargestPlatformBytes: 21_400_000},
				{Name: "registry.example/only:1", Platforms: []string{"linux/amd64"}, Problem: "registry.example does not respond"},
			},
		},
	}
}

// newInstance returns a running instance of the app samples/wiki.
func newInstance(namespace, name string, change ...func(*v1alpha1.AppInstance)) *v1alpha1.AppInstance {
	instance := &v1alpha1.AppInstance{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.AppInstanceSpec{AppRef: v1alpha1.AppReference{Namespace: "market", Source: "samples", Name: "wiki"}, Version: "2.3.1"},
		Status: v1alpha1.AppInstanceStatus{
			Conditions: []metav1.Condition{
				condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "running version 2.3.1, 3 objects ready"),
				condition(v1alpha1.ConditionResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved, ""),
				condition(v1alpha1.ConditionApplied, metav1.ConditionTrue, v1alpha1.ReasonApplied, ""),
				condition(v1alpha1.ConditionHealthy, metav1.ConditionTrue, v1alpha1.ReasonHealthy, ""),
			},
			ObservedGeneration: 1, Revision: 4, Version: "2.3.1", AvailableUpdate: "2.4.0",
			Releases: []v1alpha1.Release{{Name: name}},
			Inventory: &v1alpha1.Inventory{Total: 3, Ready: 3, Objects: []v1alpha1.ObjectReference{
				{APIVersion: "apps/v1", Kind: "Deployment", Namespace: namespace, Name: name},
				{APIVersion: "v1", Kind: "Service", Namespace: namespace, Name: name},
				{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: namespace, Name: "data-" + name},
			}},
			Claims:    []v1alpha1.VolumeClaim{{Name: "data-" + name, Storage: "1Gi", OnRemoval: v1alpha1.ClaimRetained}},
			Entrances: []v1alpha1.Entrance{{Name: "web", Title: "Wiki", Host: name, Port: 80}},
			History: []v1alpha1.HistoryEntry{
				{Revision: 4, Outcome: v1alpha1.OutcomeSucceeded, Operation: v1alpha1.Operation{Type: v1alpha1.OperationUpgrade, Version: "2.3.1", StartedAt: metav1.Now()}, EndedAt: metav1.Now()},
				{Revision: 3, Outcome: v1alpha1.OutcomeSucceeded, Operation: v1alpha1.Operation{Type: v1alpha1.OperationInstall, Version: "2.3.0", StartedAt: metav1.Now()}, EndedAt: metav1.Now()},
			},
		},
	}
	for _, c := range change {
		c(instance)
	}
	return instance
}

// newTask returns a task for the instance wiki.
func newTask(namespace, name string, action v1alpha1.Action, change ...func(*v1alpha1.AppInstallTask)) *v1alpha1.AppInstallTask {
	task := &v1alpha1.AppInstallTask{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: 1},
		Spec: v1alpha1.AppInstallTaskSpec{
			Action: action, AppRef: v1alpha1.AppReference{Namespace: "market", Source: "samples", Name: "wiki"}, InstanceName: "wiki",
		},
	}
	for _, c := range change {
		c(task)
	}
	return task
}

// The states of a task, which the operator sets.

func isAdmitted(task *v1alpha1.AppInstallTask) {
	now := metav1.Now()
	task.Status.StartTime, task.Status.Version = &now, "2.4.0"
	setConditions(task, condition(v1alpha1.ConditionAdmitted, metav1.ConditionTrue, v1alpha1.ReasonAdmitted, "admitted"),
		condition(v1alpha1.ConditionResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved, "version 2.4.0"),
		condition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressing, "in progress"),
		condition(v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonProgressing, "in progress"))
}

func hasSucceeded(task *v1alpha1.AppInstallTask) {
	isAdmitted(task)
	setConditions(task, condition(v1alpha1.ConditionApplied, metav1.ConditionTrue, v1alpha1.ReasonApplied, "applied"),
		condition(v1alpha1.ConditionHealthy, metav1.ConditionTrue, v1alpha1.ReasonHealthy, "3 objects ready"))
	endTask(task, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, "running version 2.4.0, 3 objects ready")
}

func hasFailed(task *v1alpha1.AppInstallTask) {
	isAdmitted(task)
	endTask(task, metav1.ConditionFalse, v1alpha1.ReasonUpgradeFailed, "hook wiki-migrate failed")
}

func wasCanceled(task *v1alpha1.AppInstallTask) {
	isAdmitted(task)
	endTask(task, metav1.ConditionFalse, v1alpha1.ReasonCanceled, "canceled; the changes were reverted")
}

func wasRejected(task *v1alpha1.AppInstallTask) {
	task.Status.Preflight = []v1alpha1.Problem{
		{Reason: v1alpha1.ReasonInsufficientResources, Message: "Deployment/ai requires nvidia.com/gpu: 1; no node has it"},
		{Reason: v1alpha1.ReasonPermissionDenied, Message: "service account default cannot create roles; apply status.preflight[1].remedy", Remedy: "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\n"},
	}
	endTask(task, metav1.ConditionFalse, v1alpha1.ReasonInsufficientResources, "2 problems")
}

func wasInstalled(task *v1alpha1.AppInstallTask) {
	message := "instance \"wiki\" is installed; use action Upgrade, or set another spec.instanceName"
	task.Status.Preflight = []v1alpha1.Problem{{Reason: v1alpha1.ReasonAlreadyInstalled, Message: message}}
	endTask(task, metav1.ConditionFalse, v1alpha1.ReasonAlreadyInstalled, message)
}

func hasRelease(task *v1alpha1.AppInstallTask) {
	message := "Helm release \"wiki\" already exists in namespace \"demo\"; adopt it with action Adopt"
	task.Status.Preflight = []v1alpha1.Problem{{Reason: v1alpha1.ReasonAlreadyInstalled, Message: message}}
	endTask(task, metav1.ConditionFalse, v1alpha1.ReasonAlreadyInstalled, message)
}

func waitsForInput(task *v1alpha1.AppInstallTask) {
	task.Status.RequiredInputs = []v1alpha1.Input{
		{Name: "WIKI_ADMIN_EMAIL", Type: "email", Title: "Address of the administrator", Required: true, Problem: "required"},
		{Name: "WIKI_ADMIN_PASSWORD", Type: "password", Title: "Password", Secret: true, Required: true, Problem: "required"},
	}
	waiting := condition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonWaitingForInput, "2 inputs are missing")
	succeeded := condition(v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForInput, "2 inputs are missing")
	waiting.ObservedGeneration, succeeded.ObservedGeneration = task.Generation, task.Generation
	setConditions(task, waiting, succeeded)
}

func endTask(task *v1alpha1.AppInstallTask, status metav1.ConditionStatus, reason, message string) {
	now := metav1.Now()
	task.Status.CompletionTime = &now
	setConditions(task, condition(v1alpha1.ConditionSucceeded, status, reason, message))
}

func setConditions(task *v1alpha1.AppInstallTask, conditions ...metav1.Condition) {
	for _, c := range conditions {
		replaced := false
		for i := range task.Status.Conditions {
			if task.Status.Conditions[i].Type == c.Type {
				task.Status.Conditions[i], replaced = c, true
			}
		}
		if !replaced {
			task.Status.Conditions = append(task.Status.Conditions, c)
		}
	}
}
