package story_test

import (
	"maps"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// A preparation is an operation that precedes a scenario.
type preparation struct {
	action  v1alpha1.Action
	version string
	// usesHelm runs the helm command instead of a task.
	usesHelm bool
}

const older, newer = "1.0.0", "1.1.0"

var (
	installed    = preparation{action: v1alpha1.ActionInstall, version: older}
	upgraded     = preparation{action: v1alpha1.ActionUpgrade, version: newer}
	stopped      = preparation{action: v1alpha1.ActionStop}
	withHelm     = preparation{action: v1alpha1.ActionInstall, version: older, usesHelm: true}
	preparations = map[v1alpha1.Action][]preparation{
		v1alpha1.ActionInstall:   {},
		v1alpha1.ActionClone:     {installed},
		v1alpha1.ActionAdopt:     {withHelm},
		v1alpha1.ActionUpgrade:   {installed},
		v1alpha1.ActionConfigure: {installed},
		v1alpha1.ActionRollback:  {installed, upgraded},
		v1alpha1.ActionStop:      {installed},
		v1alpha1.ActionResume:    {installed, stopped},
		v1alpha1.ActionRestart:   {installed},
		v1alpha1.ActionUninstall: {installed},
	}
)

// versions are the versions that are installed after an action succeeds. The other actions keep the
// initial version.
var versions = map[v1alpha1.Action]string{
	v1alpha1.ActionInstall: older, v1alpha1.ActionClone: older, v1alpha1.ActionAdopt: older,
	v1alpha1.ActionUpgrade: newer, v1alpha1.ActionRollback: older, v1alpha1.ActionUninstall: "none",
}

// A fault makes a task fail, or wait until it is canceled.
type fault struct {
	// firstValues are the values of the first preparation, and taskValues are the
	// values of the task.
	firstValues, taskValues values
	// preparations replaces the default preparations of the action.
	preparations []preparation
	// changeSpec modifies the spec of the task.
	changeSpec func(*v1alpha1.AppInstallTaskSpec)
	// prepare runs after all other preparations.
	prepare func(*scenarioRun)
	// whileDown runs while the operator is down.
	whileDown func(*scenarioRun)
	// reasons are the reasons that the task may fail with. The checks before the operation may find
	// a later failure early.
	reasons []string
}

// shortTimeout is long enough for Helm and its hooks on a busy machine, and ends the wait for a Pod
// that never starts.
const shortTimeout = 45 * time.Second

func withShortTimeout(s *v1alpha1.AppInstallTaskSpec) {
	s.Timeout = v1alpha1.Duration(shortTimeout.String())
}

func withSuspend(s *v1alpha1.AppInstallTaskSpec) { yes := true; s.Suspend = &yes }

func withMissingVersion(s *v1alpha1.AppInstallTaskSpec) { s.EnsureParameters().Version = "9.x" }

// freezeNamespace makes the API server deny changes of the objects of the release, which no check can
// predict.
func freezeNamespace(run *scenarioRun) {
	patch := values{"metadata": values{"labels": values{frozenLabel: "true"}}}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: run.t.Namespace}}
	run.Expect(k8sClient.Patch(run.ctx, ns, client.RawPatch(types.MergePatchType, patch.toRaw().Raw))).To(Succeed())
	d := &appsv1.Deployment{}
	run.Expect(k8sClient.Get(run.ctx, client.ObjectKey{Namespace: run.t.Namespace, Name: run.name}, d)).To(Succeed())
	run.waitUntil(func(g Gomega) { g.Expect(k8sClient.Update(run.ctx, d, client.DryRunAll)).NotTo(Succeed()) })
}

// withMissingSecret reads values from a Secret that does not exist.
func withMissingSecret(s *v1alpha1.AppInstallTaskSpec) {
	s.EnsureConfiguration().ValuesFrom = []v1alpha1.ValuesReference{{Kind: v1alpha1.ValuesFromSecret, Name: "absent"}}
}

// createEarlierTask creates an earlier task of the instance that never starts.
func createEarlierTask(run *scenarioRun) {
	run.createTask("a-first", run.action, func(s *v1alpha1.AppInstallTaskSpec) { run.setTaskSpec(s); withSuspend(s) })
}

// holdPods holds back the Pods that the Deployment creates from now on.
func holdPods(run *scenarioRun) {
	run.annotatePods(map[string]any{waitingAnnotation: "ContainerCreating"})
}

// denyPods allows no Pods in addition to the Pod of the instance.
func denyPods(run *scenarioRun) {
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: run.t.Namespace, Name: "full"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")}},
	}
	run.Expect(k8sClient.Create(run.ctx, quota)).To(Succeed())
	run.waitUntil(func(g Gomega) {
		g.Expect(k8sClient.Get(run.ctx, client.ObjectKeyFromObject(quota), quota)).To(Succeed())
		g.Expect(quota.Status.Used).To(HaveKeyWithValue(corev1.ResourcePods, resource.MustParse("1")))
	})
}

// annotatePods patches the annotations of the Pod template of the instance's Deployment.
func (run *scenarioRun) annotatePods(annotations map[string]any) {
	patch := values{"spec": values{"template": values{"metadata": values{"annotations": annotations}}}}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: run.t.Namespace, Name: run.name}}
	run.Expect(k8sClient.Patch(run.ctx, d, client.RawPatch(types.MergePatchType, patch.toRaw().Raw))).To(Succeed())
}

// notReady keeps the objects from becoming ready.
var notReady = values{"ready": false}

// hookValues selects the failure of a hook, by the value fail or hang.
func hookValues(kind, hook string) values { return values{kind: hook} }

var notReadyWithoutHooks = values{"ready": false, "hooks": false}

// queueFaults are the faults that every task can have before it is admitted.
var queueFaults = map[string]fault{
	whileSuspended: {changeSpec: withSuspend},
	behindAnother:  {prepare: createEarlierTask},
}

// versionFaults returns the faults of actions that install a version with their own values.
func versionFaults(hook, reason string) map[string]fault {
	return addQueueFaults(map[string]fault{
		v1alpha1.ConditionAdmitted: {changeSpec: withMissingVersion, reasons: []string{v1alpha1.ReasonVersionNotFound}},
		v1alpha1.ConditionResolved: {taskValues: values{"broken": true}, reasons: []string{v1alpha1.ReasonRenderFailed}},
		v1alpha1.ConditionApplied:  {taskValues: hookValues("fail", hook), reasons: []string{reason}},
		v1alpha1.ConditionHealthy:  {taskValues: notReadyWithoutHooks, changeSpec: withShortTimeout, reasons: []string{v1alpha1.ReasonTimedOut}},
		withoutInput:               {changeSpec: withMissingSecret},
		inHook:                     {taskValues: hookValues("hang", hook)},
		waitingForObjects:          {taskValues: notReady},
	})
}

// addQueueFaults adds the faults that all actions have.
func addQueueFaults(faults map[string]fault) map[string]fault {
	maps.Copy(faults, queueFaults)
	return faults
}

// faultsFor returns the faults of an action by condition and point of cancellation.
func faultsFor(action v1alpha1.Action) map[string]fault {
	return map[v1alpha1.Action]map[string]fault{
		v1alpha1.ActionInstall: versionFaults("pre-install", v1alpha1.ReasonInstallFailed),
		v1alpha1.ActionClone:   versionFaults("pre-install", v1alpha1.ReasonInstallFailed),
		v1alpha1.ActionUpgrade: versionFaults("pre-upgrade", v1alpha1.ReasonUpgradeFailed),
		v1alpha1.ActionConfigure: addQueueFaults(map[string]fault{
			v1alpha1.ConditionAdmitted: {preparations: []preparation{installed, stopped}, reasons: []string{v1alpha1.ReasonInvalidState}},
			v1alpha1.ConditionResolved: {taskValues: values{"broken": true}, reasons: []string{v1alpha1.ReasonRenderFailed}},
			v1alpha1.ConditionApplied:  {taskValues: hookValues("fail", "pre-upgrade"), reasons: []string{v1alpha1.ReasonUpgradeFailed}},
			v1alpha1.ConditionHealthy:  {taskValues: notReadyWithoutHooks, changeSpec: withShortTimeout, reasons: []string{v1alpha1.ReasonTimedOut}},
			withoutInput:               {changeSpec: withMissingSecret},
			inHook:                     {taskValues: hookValues("hang", "pre-upgrade")},
			waitingForObjects:          {taskValues: notReady},
		}),
		v1alpha1.ActionAdopt: addQueueFaults(map[string]fault{
			v1alpha1.ConditionAdmitted: {preparations: []preparation{}, reasons: []string{v1alpha1.ReasonAdoptFailed}},
			v1alpha1.ConditionApplied:  {prepare: freezeNamespace, reasons: []string{v1alpha1.ReasonAdoptFailed}},
			v1alpha1.ConditionHealthy:  {firstValues: notReadyWithoutHooks, changeSpec: withShortTimeout, reasons: []string{v1alpha1.ReasonTimedOut}},
			waitingForObjects:          {firstValues: notReady},
		}),
		v1alpha1.ActionRollback: addQueueFaults(map[string]fault{
			v1alpha1.ConditionAdmitted: {preparations: []preparation{installed}, reasons: []string{v1alpha1.ReasonRevisionNotFound}},
			v1alpha1.ConditionApplied:  {firstValues: hookValues("fail", "pre-rollback"), reasons: []string{v1alpha1.ReasonRollbackFailed}},
			v1alpha1.ConditionHealthy:  {firstValues: notReadyWithoutHooks, changeSpec: withShortTimeout, reasons: []string{v1alpha1.ReasonTimedOut}},
			inHook:                     {firstValues: hookValues("hang", "pre-rollback")},
			waitingForObjects:          {firstValues: notReadyWithoutHooks},
		}),
		v1alpha1.ActionStop: addQueueFaults(map[string]fault{
			v1alpha1.ConditionAdmitted: {preparations: []preparation{installed, stopped}, reasons: []string{v1alpha1.ReasonInvalidState}},
			v1alpha1.ConditionApplied:  {prepare: freezeNamespace, reasons: []string{v1alpha1.ReasonStopFailed}},
		}),
		v1alpha1.ActionResume: addQueueFaults(map[string]fault{
			v1alpha1.ConditionAdmitted: {preparations: []preparation{installed}, reasons: []string{v1alpha1.ReasonInvalidState}},
			v1alpha1.ConditionApplied:  {prepare: freezeNamespace, reasons: []string{v1alpha1.ReasonResumeFailed}},
			v1alpha1.ConditionHealthy:  {prepare: holdPods, changeSpec: withShortTimeout, reasons: []string{v1alpha1.ReasonTimedOut}},
			waitingForObjects:          {prepare: holdPods},
		}),
		v1alpha1.ActionRestart: addQueueFaults(map[string]fault{
			v1alpha1.ConditionAdmitted: {preparations: []preparation{installed, stopped}, reasons: []string{v1alpha1.ReasonInvalidState}},
			v1alpha1.ConditionApplied:  {prepare: freezeNamespace, reasons: []string{v1alpha1.ReasonRestartFailed}},
			v1alpha1.ConditionHealthy:  {prepare: denyPods, changeSpec: withShortTimeout, reasons: []string{v1alpha1.ReasonTimedOut}},
			waitingForObjects:          {prepare: denyPods},
		}),
		v1alpha1.ActionUninstall: addQueueFaults(map[string]fault{
			v1alpha1.ConditionAdmitted: {preparations: []preparation{}, reasons: []string{v1alpha1.ReasonNotInstalled}},
			v1alpha1.ConditionApplied:  {firstValues: hookValues("fail", "pre-delete"), reasons: []string{v1alpha1.ReasonUninstallFailed}},
			inHook:                     {firstValues: hookValues("hang", "pre-delete")},
		}),
	}[action]
}
