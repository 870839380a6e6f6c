package pages

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/internal/transitions"
	"github.com/appmarket/operator/ui/kube"
)

const (
	// upgradesURL is the URL of the form that upgrades several instances.
	upgradesURL = "/upgrades"
	// maxUpgrades is the number of instances that a form upgrades.
	maxUpgrades = 50
)

// upgradeRow is an instance that can be upgraded.
type upgradeRow struct {
	instanceRow

	// Field is the value of the field of the instance. NotAllowed says why the user cannot upgrade the instance, and
	// ManagedBy is the GitOps tool that may revert the upgrade.
	Field, NotAllowed, ManagedBy string
	Chosen                       bool

	task *v1alpha1.AppInstallTask
}

// upgradesView is the form that creates a task for each of several upgrades.
type upgradesView struct {
	Rows []upgradeRow
	Key  string
	// More is the number of instances that the form leaves out.
	More    int
	Problem string
	// Manifest contains the tasks of the chosen instances, and Commands the commands that create them.
	Manifest string
	Commands []string
}

func canUpgrade(instance *v1alpha1.AppInstance) bool {
	return instance.Status.AvailableUpdate != "" && transitions.Admit(v1alpha1.ActionUpgrade, instance.Name, instance) == nil
}

// newUpgradesView returns the form for the instances in the selected namespace, or in all, that have an update and whose
// state allows an upgrade.
func newUpgradesView(r *request) (*upgradesView, error) {
	scope, err := scopeOf(r, kube.Instances)
	if err != nil {
		return nil, err
	}
	all, err := r.server.Cluster.ListInstances(r.Context(), scope)
	if err != nil {
		return nil, err
	}
	v := &upgradesView{Key: formKeyOf(r)}
	var found []instanceRow
	for i := range all {
		if canUpgrade(&all[i]) {
			found = append(found, newInstanceRow(r.lang, &all[i]))
		}
	}
	slices.SortFunc(found, compareInstances)
	v.More = max(len(found)-maxUpgrades, 0)
	var objects []runtime.Object
	for _, each := range found[:len(found)-v.More] {
		row, err := newUpgradeRow(r, each, v.Key)
		switch {
		case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
			continue
		case err != nil:
			return nil, err
		}
		v.Rows = append(v.Rows, row)
		if !row.Chosen {
			continue
		}
		command, err := taskbuilder.CommandFor(row.task, func(string) bool { return false })
		if err != nil {
			return nil, err
		}
		v.Commands, objects = append(v.Commands, command), append(objects, row.task)
	}
	v.Manifest, err = taskbuilder.Manifest(objects...)
	return v, err
}

// newUpgradeRow returns an instance of the form. At first, instances are chosen that no GitOps tool manages.
func newUpgradeRow(r *request, row instanceRow, key string) (upgradeRow, error) {
	instance := &v1alpha1.AppInstance{} // The cached instance has no annotations.
	if err := r.Get(r.Context(), client.ObjectKeyFromObject(row.Instance), instance); err != nil {
		return upgradeRow{}, err
	}
	v := upgradeRow{instanceRow: row, Field: instance.Namespace + "/" + instance.Name, ManagedBy: gitOpsToolOf(instance)}
	allowed, err := r.Allows(r.Context(), "create", kube.Tasks, instance.Namespace, "")
	if err != nil {
		return v, err
	}
	if !allowed {
		v.NotAllowed = r.Text("problem.cannotCreateTasks", "Namespace", instance.Namespace)
	}
	v.Chosen = allowed && v.ManagedBy == ""
	if r.Method == http.MethodPost {
		v.Chosen = allowed && slices.Contains(r.PostForm["instance"], v.Field)
	}
	v.task, err = taskbuilder.NewTask(taskbuilder.Request{
		Action: v1alpha1.ActionUpgrade, Namespace: instance.Namespace, App: instance.Spec.AppRef, Instance: instance.Name, Suffix: key,
		Version: row.Instance.Status.AvailableUpdate,
	})
	return v, err
}

func (v *upgradesView) view(r *request) *view {
	return &view{name: "upgrades", titles: []string{r.Text("upgrades.title"), r.Text("installed.title")}, section: "instances", data: v}
}

func showUpgrades(r *request) (*view, error) {
	v, err := newUpgradesView(r)
	if err != nil {
		return nil, err
	}
	return v.view(r), nil
}

// submitUpgrades creates the tasks. The form can be sent again after an error: a task that exists is not created again.
func submitUpgrades(r *request) (next string, again *view, err error) {
	v, err := newUpgradesView(r)
	if err != nil {
		return "", nil, err
	}
	if len(v.Commands) == 0 {
		v.Problem = r.Text("upgrades.selectOne")
		return "", v.view(r), nil
	}
	var problems []string
	for i := range v.Rows {
		row := &v.Rows[i]
		if !row.Chosen {
			continue
		}
		if _, err := createTask(r, row.task); err != nil {
			var known *problem
			if !errors.As(err, &known) {
				return "", nil, err
			}
			problems = append(problems, row.Field+": "+cmp.Or(known.Detail, known.Text))
		}
	}
	if len(problems) > 0 {
		v.Problem = r.Text("upgrades.notCreated", "Problems", strings.Join(problems, "; "))
		return "", v.view(r), nil
	}
	return "/tasks", nil, nil
}
