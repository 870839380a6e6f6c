// Package taskbuilder turns the request of a user into the objects that carry it out: an
// AppInstallTask, and the Secret with the confidential inputs that the user typed.
//
// The web pages and the kubectl plugin build their objects here, so that the same request leads to
// the same objects, the same YAML and the same command in both. The package reads no cluster and
// writes nothing. It does not check what the API server and the operator check: a request with an
// unknown app leads to a task that is not admitted.
package taskbuilder

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// maxNameStem is the maximum length of the name of a task without its suffix.
const maxNameStem = 200

// Request describes an operation that a user requests on an instance. A field that the action does
// not have must be empty.
type Request struct {
	Action v1alpha1.Action
	// Namespace is the namespace of the task and of the instance.
	Namespace string
	// App refers to the app of the instance. For an existing instance, it is the reference of the
	// instance, which is immutable.
	App v1alpha1.AppReference
	// Instance is the name of the instance. Defaults to the name of the app.
	Instance string
	// Suffix is the end of the name of the task. Two requests with the same suffix are one task.
	Suffix string

	// Version is a semantic version or a range of semantic versions.
	Version string
	// Configuration contains the values, the inputs and the titles.
	Configuration v1alpha1.AppConfiguration
	// AllowDowngrade allows an upgrade to an older version.
	AllowDowngrade bool
	// Revision is the revision to roll back to, 0 for the previous revision.
	Revision int32
	// CloneFrom refers to the instance to clone.
	CloneFrom v1alpha1.CloneSource
	// Uninstall specifies what is uninstalled in addition to the instance.
	Uninstall v1alpha1.UninstallParameters

	Options
}

// Options are the fields of a task that every action has.
type Options struct {
	ServiceAccountName string
	Dependencies       v1alpha1.DependencyPolicy
	OnFailure          v1alpha1.FailurePolicy
	OnMissingInput     v1alpha1.MissingInputPolicy
	OnUnmetRequirement v1alpha1.UnmetRequirementPolicy
	// Timeout limits the operation, and then the objects becoming ready. 0 means the default.
	Timeout time.Duration
	// StartDeadline limits the time until the task is admitted. 0 means no limit.
	StartDeadline time.Duration
	// TTL is the time after which the completed task is deleted. 0 means never.
	TTL   time.Duration
	RunID string
}

// TaskName returns the name of the task of a request: the action, the instance and the suffix.
func TaskName(action v1alpha1.Action, instance, suffix string) string {
	stem := strings.ToLower(string(action)) + "-" + instance
	return strings.TrimRight(stem[:min(len(stem), maxNameStem)], "-.") + "-" + suffix
}

// NewTask returns the task of a request. It returns an error if the request has a field that the
// action does not have.
func NewTask(r Request) (*v1alpha1.AppInstallTask, error) {
	instance := r.Instance
	if instance == "" {
		instance = r.App.Name
	}
	task := &v1alpha1.AppInstallTask{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "AppInstallTask"},
		ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: TaskName(r.Action, instance, r.Suffix)},
		Spec: v1alpha1.AppInstallTaskSpec{
			Action: r.Action, AppRef: r.App, InstanceName: r.Instance,
			ServiceAccountName: r.ServiceAccountName, Dependencies: r.Dependencies, OnFailure: r.OnFailure,
			OnMissingInput: r.OnMissingInput, OnUnmetRequirement: r.OnUnmetRequirement,
			Timeout: durationText(r.Timeout), StartDeadline: durationText(r.StartDeadline), RunID: r.RunID,
		},
	}
	if r.TTL != 0 {
		seconds := int32(min(r.TTL, maxTTL).Seconds())
		task.Spec.TTLSecondsAfterFinished = &seconds
	}
	return task, setMember(&task.Spec, r)
}

// maxTTL is the maximum of the field ttlSecondsAfterFinished.
const maxTTL = 31536000 * time.Second

// durationText returns a duration in the format of the API, "" for 0.
func durationText(d time.Duration) v1alpha1.Duration {
	if d == 0 {
		return ""
	}
	return v1alpha1.Duration(d.String())
}

// setMember sets the member of the spec that belongs to the action. A member without fields is not
// set, unless the action requires it.
func setMember(spec *v1alpha1.AppInstallTaskSpec, r Request) error {
	parameters := v1alpha1.AppParameters{Version: r.Version, AppConfiguration: r.Configuration}
	used := Request{}
	switch r.Action {
	case v1alpha1.ActionInstall:
		used.Version, used.Configuration = r.Version, r.Configuration
		spec.Install = pointerUnlessEmpty(parameters)
	case v1alpha1.ActionAdopt:
		used.Version, used.Configuration = r.Version, r.Configuration
		spec.Adopt = pointerUnlessEmpty(parameters)
	case v1alpha1.ActionUpgrade:
		used.Version, used.Configuration, used.AllowDowngrade = r.Version, r.Configuration, r.AllowDowngrade
		upgrade := v1alpha1.UpgradeParameters{AppParameters: parameters}
		if r.AllowDowngrade {
			upgrade.AllowDowngrade = &r.AllowDowngrade
		}
		spec.Upgrade = pointerUnlessEmpty(upgrade)
	case v1alpha1.ActionConfigure:
		used.Configuration = r.Configuration
		spec.Configure = pointerUnlessEmpty(r.Configuration)
	case v1alpha1.ActionRollback:
		used.Revision = r.Revision
		spec.Rollback = pointerUnlessEmpty(v1alpha1.RollbackParameters{Revision: r.Revision})
	case v1alpha1.ActionClone:
		used.Version, used.Configuration, used.CloneFrom = r.Version, r.Configuration, r.CloneFrom
		spec.Clone = &v1alpha1.CloneParameters{From: r.CloneFrom, AppParameters: parameters}
	case v1alpha1.ActionUninstall:
		used.Uninstall = r.Uninstall
		spec.Uninstall = pointerUnlessEmpty(r.Uninstall)
	}
	return checkUnused(r, used)
}

// checkUnused returns an error if a request has a field of another action.
func checkUnused(r, used Request) error {
	for _, field := range []struct {
		name        string
		given, used any
	}{
		{"a version", r.Version, used.Version},
		{"values, inputs or titles", r.Configuration, used.Configuration},
		{"a downgrade", r.AllowDowngrade, used.AllowDowngrade},
		{"a revision", r.Revision, used.Revision},
		{"an instance to clone", r.CloneFrom, used.CloneFrom},
		{"parameters of an uninstallation", r.Uninstall, used.Uninstall},
	} {
		if !isSameValue(field.given, field.used) {
			return fmt.Errorf("action %s does not have %s", r.Action, field.name)
		}
	}
	return nil
}
