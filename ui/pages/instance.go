package pages

import (
	"cmp"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/live"
	"github.com/appmarket/operator/ui/locale"
)

// instanceView is the page of an instance.
type instanceView struct {
	Instance *v1alpha1.AppInstance
	Title    string
	// IconURL is the URL of the icon of the app, empty if there is none.
	IconURL string
	State   badge
	Update  string
	Drifted bool
	Tab     string
	Tabs    []tab
	Trouble *trouble
	// Task is the name of the task that wrote the spec, empty if it may not be shown.
	Task       string
	Milestones []milestone
	Entrances  []entranceRow
	// ManagedBy is the GitOps tool that manages the instance, empty if there is none.
	ManagedBy string
	Objects   objectsView
	Text      string
	// History is the history, CanChange reports that the user can patch the instance, and Effective are the values with
	// the default values, nil unless the user requests them.
	History   []historyRow
	CanChange bool
	Effective *effectiveValues
	Events    eventsView
	Logs      logsView
	Terminal  terminalView
	// Actions are the buttons, and NotAllowed says why they are disabled.
	Actions    []actionButton
	NotAllowed string

	lang *locale.Language
}

// actionButton is the link to the page of an action.
type actionButton struct {
	Text, URL      string
	Main, Disabled bool
	// External reports that the link opens the app, outside of the pages.
	External bool
}

// trouble is the reason why an instance is not ready.
type trouble struct {
	Class, Title, Reason, Message string
	Problems                      []v1alpha1.Problem
	// CanRollBack reports that the last change failed, and that the instance can be rolled back.
	CanRollBack bool
}

func getInstance(r *request) (*v1alpha1.AppInstance, error) {
	namespace := r.PathValue("namespace")
	instance := &v1alpha1.AppInstance{}
	err := r.Get(r.Context(), types.NamespacedName{Namespace: namespace, Name: r.PathValue("name")}, instance)
	return instance, asProblem(r, err, "get", kube.Instances, namespace)
}

func showInstance(r *request) (*view, error) {
	instance, err := getInstance(r)
	if err != nil {
		return nil, err
	}
	v := newInstanceView(r.lang, instance, "Overview")
	v.IconURL = instanceIconURL(r, instance)
	if err := v.addTerminalTab(r); err != nil {
		return nil, err
	}
	return v.view(), v.addActions(r)
}

// instanceTabs show the tabs of an instance other than the first, by the last part of their
// address.
var instanceTabs = map[string]struct {
	name string
	show func(*request, *instanceView) error
}{
	"objects": {"Objects", showObjects},
	"events":  {"Events", showEvents},
	"logs":    {"Logs", showLogs},
	"history": {"History", showHistory},
	"values":  {"Values", showInstanceValues},
	"drift":   {"Drift", showDrift},
	"yaml":    {"YAML", showInstanceYAML},

	terminalPath: {terminalTab, showTerminal},
}

func showInstanceTab(r *request) (*view, error) {
	chosen, ok := instanceTabs[r.PathValue("tab")]
	if !ok {
		return nil, notFound(r, "problem.noPage", "/instances", "problem.showInstalled")
	}
	instance, err := getInstance(r)
	if err != nil {
		return nil, err
	}
	v := newInstanceView(r.lang, instance, chosen.name)
	v.IconURL = instanceIconURL(r, instance)
	if err := v.addTerminalTab(r); err != nil {
		return nil, err
	}
	// The live part of the page does not contain the log or the terminal.
	if isPart(r.Request) && (chosen.name == "Logs" || chosen.name == terminalTab) {
		return v.view(), v.addActions(r)
	}
	if err := chosen.show(r, v); err != nil {
		return nil, err
	}
	return v.view(), v.addActions(r)
}

func newInstanceView(l *locale.Language, instance *v1alpha1.AppInstance, current string) *instanceView {
	status := &instance.Status
	v := &instanceView{
		lang:     l,
		Instance: instance, Title: cmp.Or(instance.Spec.Title, instance.Name), State: instanceBadge(l, instance), Update: status.AvailableUpdate,
		Drifted: meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionDrifted), Tab: current, ManagedBy: gitOpsToolOf(instance),
	}
	v.Trouble = troubleOf(l, instance, v.State)
	if status.Writer != nil {
		v.Task = status.Writer.Task
	}
	v.Milestones = milestonesOf(l, status.Conditions, instance.CreationTimestamp.Time, false,
		v1alpha1.ConditionResolved, v1alpha1.ConditionApplied, v1alpha1.ConditionHealthy)
	for i := range v.Milestones { // Their times belong to different operations.
		v.Milestones[i].Took = ""
	}
	v.Entrances = newEntranceRows(instance)
	v.addTabs()
	return v
}

// addActions adds the actions that the state of the instance allows.
func (v *instanceView) addActions(r *request) error {
	allowed, err := r.Allows(r.Context(), "create", kube.Tasks, v.Instance.Namespace, "")
	if err != nil {
		return err
	}
	if !allowed {
		v.NotAllowed = r.Text("problem.cannotCreateTasksHere")
	}
	openURL := firstOpenURL(v.Instance, v.Entrances)
	if openURL != "" {
		v.Actions = append(v.Actions, actionButton{URL: openURL, External: true})
	}
	for _, name := range []string{"install", "upgrade", "configure", "stop", "resume", "restart", "rollback", "clone", "uninstall"} {
		if !v.admitsAction(name) || name == "upgrade" && v.Update == "" {
			continue
		}
		button := actionButton{Text: r.Text(instanceActions[name].verb), URL: actionURL(v.Instance.Namespace, v.Instance.Name, name), Disabled: !allowed}
		button.Main = name == "install" || name == "upgrade" && openURL == ""
		if name == "upgrade" {
			button.Text = r.Text("verb.upgradeTo", "Version", v.Update)
		}
		v.Actions = append(v.Actions, button)
	}
	if err := v.addRetry(r); err != nil {
		return err
	}
	return v.addRecordDeletion(r)
}

// IsRecord reports whether the instance is only the record of an app that was uninstalled.
func (v *instanceView) IsRecord() bool { return isUninstalled(v.Instance) }

// addRecordDeletion adds the button that deletes the record of an uninstalled instance.
func (v *instanceView) addRecordDeletion(r *request) error {
	if !isUninstalled(v.Instance) {
		return nil
	}
	allowed, err := r.Allows(r.Context(), "delete", kube.Instances, v.Instance.Namespace, v.Instance.Name)
	if err != nil {
		return err
	}
	if !allowed && v.NotAllowed == "" {
		v.NotAllowed = r.Text("problem.cannotDeleteInstancesHere")
	}
	v.Actions = append(v.Actions, actionButton{Text: r.Text("record.delete"), URL: recordURL(v.Instance.Namespace, v.Instance.Name), Disabled: !allowed})
	return nil
}

// admitsAction reports whether the state of the instance allows an action.
func (v *instanceView) admitsAction(name string) bool {
	switch name {
	case "clone":
		return transitions.Cloneable(transitions.StateOf(v.Instance))
	case "rollback":
		if len(transitions.RollbackRevisions(v.Instance)) == 0 {
			return false
		}
	case "install": // A failed installation is repeated by the form of its task, which contains its values.
		return isUninstalled(v.Instance)
	}
	return transitions.Admit(instanceActions[name].action, v.Instance.Name, v.Instance) == nil
}

// gitOpsToolOf returns the name of the GitOps tool that manages an instance, empty if there is
// none.
func gitOpsToolOf(instance *v1alpha1.AppInstance) string {
	switch {
	case instance.Annotations["argocd.argoproj.io/tracking-id"] != "":
		return "Argo CD"
	case instance.Labels["kustomize.toolkit.fluxcd.io/name"] != "", instance.Labels["helm.toolkit.fluxcd.io/name"] != "":
		return "Flux"
	}
	return ""
}

// troubleOf returns why an instance is not ready, nil if it is ready.
func troubleOf(l *locale.Language, instance *v1alpha1.AppInstance, state badge) *trouble {
	conditions := instance.Status.Conditions
	for _, name := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionHealthy, v1alpha1.ConditionReady, v1alpha1.ConditionReconciling} {
		c := meta.FindStatusCondition(conditions, name)
		isBad := c != nil && (name == v1alpha1.ConditionStalled || name == v1alpha1.ConditionReconciling || c.Status == "False")
		if !isBad || name == v1alpha1.ConditionReconciling && c.Reason == v1alpha1.ReasonProgressing {
			continue
		}
		if state.Class != "bad" && name != v1alpha1.ConditionReconciling && name != v1alpha1.ConditionStalled {
			continue
		}
		t := &trouble{Class: "bad", Title: troubleTitle(l, transitions.StateOf(instance)), Reason: c.Reason, Message: c.Message, Problems: instance.Status.Preflight}
		t.CanRollBack = transitions.StateOf(instance) == transitions.ChangeFailed && transitions.Admit(v1alpha1.ActionRollback, instance.Name, instance) == nil &&
			len(transitions.RollbackRevisions(instance)) > 0
		if name == v1alpha1.ConditionReconciling {
			t.Class, t.Title = "busy", l.Text("state.waiting")
			if c.Reason == v1alpha1.ReasonProgressingWithRetry {
				t.Class, t.Title = "warn", l.Text("trouble.retried")
			}
		}
		return t
	}
	return nil
}

func troubleTitle(l *locale.Language, state transitions.State) string {
	switch state {
	case transitions.InstallFailed:
		return l.Text("trouble.installFailed")
	case transitions.ChangeFailed:
		return l.Text("trouble.changeFailed")
	case transitions.UninstallFailed:
		return l.Text("trouble.uninstallFailed")
	case transitions.Unhealthy:
		return l.Text("trouble.unhealthy")
	}
	return l.Text("trouble.notReady")
}

func (v *instanceView) addTabs() {
	objects := 0
	if v.Instance.Status.Inventory != nil {
		objects = int(v.Instance.Status.Inventory.Total)
	}
	for _, each := range []tab{
		{Name: "Overview"}, {Name: "Objects", Count: objects}, {Name: "Events"}, {Name: "Logs"}, {Name: "History", Count: len(v.Instance.Status.History)},
		{Name: "Values"}, {Name: "Drift", Count: len(v.Instance.Status.Drift)}, {Name: "YAML"},
	} {
		each.URL, each.Current = instanceURL(v.Instance.Namespace, v.Instance.Name), each.Name == v.Tab
		if each.Name != "Overview" {
			each.URL = instanceTabURL(v.Instance.Namespace, v.Instance.Name, strings.ToLower(each.Name))
		}
		v.Tabs = append(v.Tabs, each)
	}
}

func (v *instanceView) view() *view {
	return &view{
		name: "instance", titles: []string{v.Title, v.lang.Text("installed.title")}, section: "instances", data: v, namespace: v.Instance.Namespace,
		styleNonce: v.Terminal.Nonce,
		topics:     []live.Topic{{Resource: kube.Instances, Namespace: v.Instance.Namespace, Name: v.Instance.Name}},
	}
}
