package pages

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/internal/transitions"
	"github.com/appmarket/operator/ui/kube"
)

// instanceAction is an action on an instance that has a page.
type instanceAction struct {
	action v1alpha1.Action
	// verb is the text of the button, and text says what the action does.
	verb, text string
	// prepare adds the fields of the form, and the parameters of the task that is submitted. It
	// returns the problem with a field, which is shown in the form.
	prepare func(*request, *actionView) (problem string, err error)
}

// instanceActions are the actions by the last part of their URLs.
var instanceActions = map[string]instanceAction{
	"upgrade":   {v1alpha1.ActionUpgrade, "Upgrade", "Installs another version of the app. Values, inputs and data are kept.", prepareUpgrade},
	"rollback":  {v1alpha1.ActionRollback, "Roll back", "Restores the version and the values of a previous revision.", prepareRollback},
	"stop":      {v1alpha1.ActionStop, "Stop", "Scales all workloads to 0. Objects and data are kept.", nil},
	"resume":    {v1alpha1.ActionResume, "Resume", "Scales all workloads to their previous number of replicas.", nil},
	"restart":   {v1alpha1.ActionRestart, "Restart", "Replaces all pods.", nil},
	"uninstall": {v1alpha1.ActionUninstall, "Uninstall", "Deletes the objects of the app. The record of the instance is kept.", prepareUninstall},
}

// actionView is the page of an action.
type actionView struct {
	Instance *v1alpha1.AppInstance
	Title    string
	Action   v1alpha1.Action
	Verb     string
	Text     string
	Key      string
	// NotAllowed is the reason why the action cannot be requested, empty if it can.
	NotAllowed string
	// Problem is what is wrong with a field of the form.
	Problem string
	formTask
	// ManagedBy is the GitOps tool that may revert the action.
	ManagedBy string
	// Choices are the versions of an upgrade or the revisions of a rollback.
	ChoiceLabel string
	Choices     []option
	// Uninstall is what an uninstallation deletes and keeps. It is nil for other actions.
	Uninstall *uninstallView

	request taskbuilder.Request
	task    *v1alpha1.AppInstallTask
}

// uninstallView is what an uninstallation deletes and keeps.
type uninstallView struct {
	Deleted []v1alpha1.KindCount
	Total   int
	// Claims are the volume claims in the inventory.
	Claims     []string
	Secret     string
	Delete     bool
	Dependents bool
}

// showAction shows the form of an action.
func showAction(r *request) (*view, error) {
	v, err := newActionView(r)
	if err != nil {
		return nil, err
	}
	return v.view()
}

// submitAction creates the task of an action.
func submitAction(r *request) (next string, again *view, err error) {
	v, err := newActionView(r)
	if err != nil {
		return "", nil, err
	}
	if v.Problem != "" {
		again, err = v.view()
		return "", again, err
	}
	next, err = createTask(r, v.task)
	return next, nil, err
}

func newActionView(r *request) (*actionView, error) {
	chosen, ok := instanceActions[r.PathValue("action")]
	if !ok {
		return nil, notFound("This page does not exist.", "/instances", "Installed")
	}
	instance, err := getInstance(r)
	if err != nil {
		return nil, err
	}
	v := &actionView{
		Instance: instance, Title: cmp.Or(instance.Spec.Title, instance.Name), Action: chosen.action, Verb: chosen.verb, Text: chosen.text,
		Key: formKeyOf(r), ManagedBy: gitOpsToolOf(instance),
	}
	if v.NotAllowed, err = notAllowed(r, chosen.action, instance); err != nil {
		return nil, err
	}
	v.request = taskbuilder.Request{
		Action: chosen.action, Namespace: instance.Namespace, App: instance.Spec.AppRef, Instance: instance.Name, Suffix: v.Key,
	}
	if chosen.prepare != nil {
		if v.Problem, err = chosen.prepare(r, v); err != nil {
			return nil, err
		}
	}
	if v.task, err = taskbuilder.NewTask(v.request); err != nil {
		return nil, err
	}
	v.formTask, err = newFormTask(v.task)
	return v, err
}

func (v *actionView) view() (*view, error) {
	return &view{name: "action", titles: []string{v.Verb + " " + v.Title, "Installed"}, section: "instances", data: v}, nil
}

// notAllowed returns why the user cannot request an action for an instance, empty if the user can.
// The API server and the controller decide again when the task is created.
func notAllowed(r *request, action v1alpha1.Action, instance *v1alpha1.AppInstance) (string, error) {
	if err := transitions.Admit(action, instance.Name, instance); err != nil {
		return sentenceOf(err), nil
	}
	allowed, err := r.Allows(r.Context(), "create", kube.Tasks, instance.Namespace, "")
	if err != nil || allowed {
		return "", err
	}
	return fmt.Sprintf("You cannot create tasks in namespace %s. The permission to create appinstalltasks.appmarket.io is missing.", instance.Namespace), nil
}

// sentenceOf returns an error as a sentence.
func sentenceOf(err error) string {
	text := err.Error()
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// prepareUpgrade offers the versions that are newer than the installed one.
func prepareUpgrade(r *request, v *actionView) (string, error) {
	ref := v.Instance.Spec.AppRef
	app := &v1alpha1.AppInfo{}
	err := r.Get(r.Context(), types.NamespacedName{Namespace: cmp.Or(ref.Namespace, v.Instance.Namespace), Name: ref.AppInfoName()}, app)
	if err != nil {
		return "", asProblem(r, err, "get", kube.Apps, cmp.Or(ref.Namespace, v.Instance.Namespace))
	}
	chosen := cmp.Or(r.FormValue("choice"), v.Instance.Status.AvailableUpdate)
	v.ChoiceLabel = "Version"
	for i := range app.Status.Versions {
		version := &app.Status.Versions[i]
		if !isNewer(version.Version, v.Instance.Status.Version) {
			continue
		}
		text := version.Version
		if version.Deprecated {
			text += " (deprecated)"
		}
		v.Choices = append(v.Choices, option{version.Version, text, version.Version == chosen})
	}
	if len(v.Choices) == 0 {
		v.NotAllowed = cmp.Or(v.NotAllowed, "No newer version is published.")
		return "", nil
	}
	if !slices.ContainsFunc(v.Choices, func(o option) bool { return o.Chosen }) {
		if r.Method == http.MethodPost {
			return "Select one of the published versions.", nil
		}
		v.Choices[0].Chosen, chosen = true, v.Choices[0].Value
	}
	v.request.Version = chosen
	return "", nil
}

// isNewer reports whether a version is newer than the installed one. A version that cannot be
// compared is offered as well.
func isNewer(version, installed string) bool {
	a, err := semver.NewVersion(version)
	b, other := semver.NewVersion(installed)
	return errors.Join(err, other) != nil && version != installed || err == nil && other == nil && a.GreaterThan(b)
}

// prepareRollback offers the earlier revisions in the history.
func prepareRollback(r *request, v *actionView) (string, error) {
	v.ChoiceLabel = "Revision"
	chosen := r.FormValue("choice")
	seen := map[int32]bool{v.Instance.Status.Revision: true, 0: true}
	for i := range v.Instance.Status.History {
		entry := &v.Instance.Status.History[i]
		if seen[entry.Revision] || entry.Outcome != v1alpha1.OutcomeSucceeded {
			continue
		}
		seen[entry.Revision] = true
		number := strconv.Itoa(int(entry.Revision))
		label := fmt.Sprintf("%s: version %s, %s", number, entry.Operation.Version, formatAge(entry.EndedAt.Time))
		v.Choices = append(v.Choices, option{number, label, number == chosen})
	}
	if len(v.Choices) == 0 {
		v.NotAllowed = cmp.Or(v.NotAllowed, "The history has no earlier revision.")
		return "", nil
	}
	if !slices.ContainsFunc(v.Choices, func(o option) bool { return o.Chosen }) {
		if r.Method == http.MethodPost {
			return "Select one of the revisions.", nil
		}
		v.Choices[0].Chosen, chosen = true, v.Choices[0].Value
	}
	number, err := strconv.ParseInt(chosen, 10, 32)
	if err != nil {
		return "Select one of the revisions.", nil
	}
	v.request.Revision = int32(number)
	return "", nil
}

// prepareUninstall lists what is deleted and what is kept. Data is deleted only if the user enters
// the name of the instance.
func prepareUninstall(r *request, v *actionView) (string, error) {
	u := &uninstallView{Delete: v.Instance.Spec.DataPolicy == v1alpha1.DataDelete}
	if r.Method == http.MethodPost {
		u.Delete, u.Dependents = r.PostFormValue("data") == "delete", r.PostFormValue("dependents") != ""
	}
	v.Uninstall = u
	counts := map[string]int32{}
	if inventory := v.Instance.Status.Inventory; inventory != nil {
		u.Total = int(inventory.Total)
		for _, ref := range inventory.Objects {
			if ref.Kind == "PersistentVolumeClaim" {
				u.Claims = append(u.Claims, ref.Name)
				continue
			}
			counts[ref.Kind]++
		}
	}
	for kind, count := range counts {
		u.Deleted = append(u.Deleted, v1alpha1.KindCount{Kind: kind, Count: count})
	}
	slices.SortFunc(u.Deleted, func(a, b v1alpha1.KindCount) int { return strings.Compare(a.Kind, b.Kind) })
	parameters := v1alpha1.UninstallParameters{DataPolicy: v1alpha1.DataRetain}
	if u.Delete {
		parameters.DataPolicy = v1alpha1.DataDelete
	}
	if u.Dependents {
		parameters.Dependents = v1alpha1.DependentsUninstall
	}
	v.request.Uninstall = parameters
	if r.Method == http.MethodPost && u.Delete && r.PostFormValue("confirm") != v.Instance.Name {
		return "To delete the data, enter the name of the instance: " + v.Instance.Name, nil
	}
	return "", nil
}
