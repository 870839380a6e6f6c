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

// A step is an operation that precedes a test case.
type step struct {
	action  v1alpha1.Action
	version string
	// byHelm runs the helm command instead of a task.
	byHelm bool
}

const older, newer = "1.0.0", "1.1.0"

var (
	installed  = step{action: v1alpha1.ActionInstall, version: older}
	upgraded   = step{action: v1alpha1.ActionUpgrade, version: newer}
	stopped    = step{action: v1alpha1.ActionStop}
	withHelm   = step{action: v1alpha1.ActionInstall, version: older, byHelm: true}
	beginnings = map[v1alpha1.Action][]step{
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

// A trouble makes a task fail, or wait until it is canceled.
type trouble struct {
	// first are the values of the first step, and own the values of the task.
	first, own values
	// start replaces the default steps of the action.
	start []step
	// change modifies the spec of the task.
	change func(*v1alpha1.AppInstallTaskSpec)
	// prepare runs after all other preparations.
	prepare func(*act)
	// meanwhile runs while the operator is down.
	meanwhile func(*act)
	// reasons are the reasons that the task may fail with. The checks before the operation may find
	// a later failure early.
	reasons []string
}

// soon is a timeout that is long enough for Helm and its hooks on a busy machine, and ends the wait
// for a Pod that never starts.
const soon = 45 * time.Second

func hasty(s *v1alpha1.AppInstallTaskSpec) { s.Timeout = v1alpha1.Duration(soon.String()) }

func suspend(s *v1alpha1.AppInstallTaskSpec) { yes := true; s.Suspend = &yes }

func versionless(s *v1alpha1.AppInstallTaskSpec) { s.EnsureParameters().Version = "9.x" }

// frozen makes the API server deny changes of the objects of the release, which no check can
// predict.
func frozen(a *act) {
	patch := values{"metadata": values{"labels": values{frozenLabel: "true"}}}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: a.t.Namespace}}
	a.Expect(cluster.Patch(a.ctx, ns, client.RawPatch(types.MergePatchType, patch.raw().Raw))).To(Succeed())
	d := &appsv1.Deployment{}
	a.Expect(cluster.Get(a.ctx, client.ObjectKey{Namespace: a.t.Namespace, Name: a.name}, d)).To(Succeed())
	a.eventually(func(g Gomega) { g.Expect(cluster.Update(a.ctx, d, client.DryRunAll)).NotTo(Succeed()) })
}

// askingMuch reads values from a Secret that does not exist.
func askingMuch(s *v1alpha1.AppInstallTaskSpec) {
	s.EnsureConfiguration().ValuesFrom = []v1alpha1.ValuesReference{{Kind: v1alpha1.ValuesFromSecret, Name: "nowhere"}}
}

// inTheWay creates an earlier task of the instance that never starts.
func inTheWay(a *act) {
	a.create("a-first", a.action, func(s *v1alpha1.AppInstallTaskSpec) { a.wish(s); suspend(s) })
}

// neverReady holds back the Pods that the Deployment creates from now on.
func neverReady(a *act) { a.mark(map[string]any{waitingMark: "ContainerCreating"}) }

// full allows no Pods in addition to the Pod of the instance.
func full(a *act) {
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.t.Namespace, Name: "full"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")}},
	}
	a.Expect(cluster.Create(a.ctx, quota)).To(Succeed())
	a.eventually(func(g Gomega) {
		g.Expect(cluster.Get(a.ctx, client.ObjectKeyFromObject(quota), quota)).To(Succeed())
		g.Expect(quota.Status.Used).To(HaveKeyWithValue(corev1.ResourcePods, resource.MustParse("1")))
	})
}

// mark patches the annotations of the Pod template of the instance's Deployment.
func (a *act) mark(annotations map[string]any) {
	patch := values{"spec": values{"template": values{"metadata": values{"annotations": annotations}}}}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: a.t.Namespace, Name: a.name}}
	a.Expect(cluster.Patch(a.ctx, d, client.RawPatch(types.MergePatchType, patch.raw().Raw))).To(Succeed())
}

// asleep keeps the objects from becoming ready, and badly selects the failure of a hook.
var asleep = values{"ready": false}

func badly(how, hook string) values { return values{how: hook} }

var quiet = values{"ready": false, "hooks": false}

// queueing are the failures that every task can meet before it is admitted.
var queueing = map[string]trouble{
	whileSuspended: {change: suspend},
	behindAnother:  {prepare: inTheWay},
}

// making returns the failures of actions that install a version with their own values.
func making(hook, failure string) map[string]trouble {
	return with(map[string]trouble{
		v1alpha1.ConditionAdmitted: {change: versionless, reasons: []string{v1alpha1.ReasonVersionNotFound}},
		v1alpha1.ConditionResolved: {own: values{"broken": true}, reasons: []string{v1alpha1.ReasonRenderFailed}},
		v1alpha1.ConditionApplied:  {own: badly("fail", hook), reasons: []string{failure}},
		v1alpha1.ConditionHealthy:  {own: quiet, change: hasty, reasons: []string{v1alpha1.ReasonTimedOut}},
		withoutInput:               {change: askingMuch},
		inHook:                     {own: badly("hang", hook)},
		waitingForObjects:          {own: asleep},
	})
}

// with adds the failures that all actions have.
func with(own map[string]trouble) map[string]trouble {
	maps.Copy(own, queueing)
	return own
}

// troubles returns the failures of an action by condition and moment.
func troubles(action v1alpha1.Action) map[string]trouble {
	return map[v1alpha1.Action]map[string]trouble{
		v1alpha1.ActionInstall: making("pre-install", v1alpha1.ReasonInstallFailed),
		v1alpha1.ActionClone:   making("pre-install", v1alpha1.ReasonInstallFailed),
		v1alpha1.ActionUpgrade: making("pre-upgrade", v1alpha1.ReasonUpgradeFailed),
		v1alpha1.ActionConfigure: with(map[string]trouble{
			v1alpha1.ConditionAdmitted: {start: []step{installed, stopped}, reasons: []string{v1alpha1.ReasonInvalidState}},
			v1alpha1.ConditionResolved: {own: values{"broken": true}, reasons: []string{v1alpha1.ReasonRenderFailed}},
			v1alpha1.ConditionApplied:  {own: badly("fail", "pre-upgrade"), reasons: []string{v1alpha1.ReasonUpgradeFailed}},
			v1alpha1.ConditionHealthy:  {own: quiet, change: hasty, reasons: []string{v1alpha1.ReasonTimedOut}},
			withoutInput:               {change: askingMuch},
			inHook:                     {own: badly("hang", "pre-upgrade")},
			waitingForObjects:          {own: asleep},
		}),
		v1alpha1.ActionAdopt: with(map[string]trouble{
			v1alpha1.ConditionAdmitted: {start: []step{}, reasons: []string{v1alpha1.ReasonAdoptFailed}},
			v1alpha1.ConditionApplied:  {prepare: frozen, reasons: []string{v1alpha1.ReasonAdoptFailed}},
			v1alpha1.ConditionHealthy:  {first: quiet, change: hasty, reasons: []string{v1alpha1.ReasonTimedOut}},
			waitingForObjects:          {first: asleep},
		}),
		v1alpha1.ActionRollback: with(map[string]trouble{
			v1alpha1.ConditionAdmitted: {start: []step{installed}, reasons: []string{v1alpha1.ReasonRevisionNotFound}},
			v1alpha1.ConditionApplied:  {first: badly("fail", "pre-rollback"), reasons: []string{v1alpha1.ReasonRollbackFailed}},
			v1alpha1.ConditionHealthy:  {first: quiet, change: hasty, reasons: []string{v1alpha1.ReasonTimedOut}},
			inHook:                     {first: badly("hang", "pre-rollback")},
			waitingForObjects:          {first: quiet},
		}),
		v1alpha1.ActionStop: with(map[string]trouble{
			v1alpha1.ConditionAdmitted: {start: []step{installed, stopped}, reasons: []string{v1alpha1.ReasonInvalidState}},
			v1alpha1.ConditionApplied:  {prepare: frozen, reasons: []string{v1alpha1.ReasonStopFailed}},
		}),
		v1alpha1.ActionResume: with(map[string]trouble{
			v1alpha1.ConditionAdmitted: {start: []step{installed}, reasons: []string{v1alpha1.ReasonInvalidState}},
			v1alpha1.ConditionApplied:  {prepare: frozen, reasons: []string{v1alpha1.ReasonResumeFailed}},
			v1alpha1.ConditionHealthy:  {prepare: neverReady, change: hasty, reasons: []string{v1alpha1.ReasonTimedOut}},
			waitingForObjects:          {prepare: neverReady},
		}),
		v1alpha1.ActionRestart: with(map[string]trouble{
			v1alpha1.ConditionAdmitted: {start: []step{installed, stopped}, reasons: []string{v1alpha1.ReasonInvalidState}},
			v1alpha1.ConditionApplied:  {prepare: frozen, reasons: []string{v1alpha1.ReasonRestartFailed}},
			v1alpha1.ConditionHealthy:  {prepare: full, change: hasty, reasons: []string{v1alpha1.ReasonTimedOut}},
			waitingForObjects:          {prepare: full},
		}),
		v1alpha1.ActionUninstall: with(map[string]trouble{
			v1alpha1.ConditionAdmitted: {start: []step{}, reasons: []string{v1alpha1.ReasonNotInstalled}},
			v1alpha1.ConditionApplied:  {first: badly("fail", "pre-delete"), reasons: []string{v1alpha1.ReasonUninstallFailed}},
			inHook:                     {first: badly("hang", "pre-delete")},
		}),
	}[action]
}
