package taskbuilder

import (
	"cmp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// NewInstance returns the AppInstance that has the same effect as a task, for users who keep instances in a git
// repository instead of creating tasks. present is the instance of the task or, for a Clone task, the instance that
// is cloned; it is nil for a new instance. NewInstance returns nil if no spec has the effect of the action.
func NewInstance(task *v1alpha1.AppInstallTask, present *v1alpha1.AppInstance) *v1alpha1.AppInstance {
	instance := &v1alpha1.AppInstance{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "AppInstance"},
		ObjectMeta: metav1.ObjectMeta{Namespace: task.Namespace, Name: task.Instance()},
	}
	spec, requested := &instance.Spec, &task.Spec
	if present != nil {
		present.Spec.DeepCopyInto(spec)
	}
	spec.DesiredState = v1alpha1.StateRunning
	switch requested.Action {
	case v1alpha1.ActionInstall, v1alpha1.ActionClone, v1alpha1.ActionAdopt:
		spec.AppRef = requested.AppRef
		spec.AdoptionPolicy, spec.RestartRequestedAt, spec.Suspend = "", nil, nil
		if requested.Action == v1alpha1.ActionAdopt {
			spec.AdoptionPolicy = v1alpha1.AdoptionAdopt
		}
		addParameters(spec, requested.Parameters())
	case v1alpha1.ActionUpgrade, v1alpha1.ActionConfigure:
		addParameters(spec, requested.Parameters())
	case v1alpha1.ActionRollback:
		spec.PinnedRevision = requested.RollbackRevision()
	case v1alpha1.ActionStop:
		spec.DesiredState = v1alpha1.StateStopped
	case v1alpha1.ActionResume:
	case v1alpha1.ActionUninstall:
		spec.DesiredState = v1alpha1.StateUninstalled
	default:
		return nil
	}
	spec.DataPolicy = cmp.Or(requested.RequestedDataPolicy(), spec.DataPolicy)
	spec.ServiceAccountName = cmp.Or(requested.ServiceAccountName, spec.ServiceAccountName)
	spec.Timeout = cmp.Or(requested.Timeout, spec.Timeout)
	return instance
}

// addParameters adds the version and the configuration of a task to the spec of an instance. Fields that the task
// does not specify keep their values.
func addParameters(spec *v1alpha1.AppInstanceSpec, given v1alpha1.AppParameters) {
	spec.PinnedRevision = 0
	spec.Version, spec.Title = cmp.Or(given.Version, spec.Version), cmp.Or(given.Title, spec.Title)
	if len(given.Entrances) > 0 {
		spec.Entrances = given.Entrances
	}
	if given.CredentialSecretRef != nil {
		spec.CredentialSecretRef = given.CredentialSecretRef
	}
	if given.Values != nil {
		spec.Values = given.Values
	}
	if given.ValuesFrom != nil {
		spec.ValuesFrom = given.ValuesFrom
	}
	if len(given.Inputs) > 0 {
		spec.Inputs = MergeInputs(spec.Inputs, given.Inputs)
	}
}
