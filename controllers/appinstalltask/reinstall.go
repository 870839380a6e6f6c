package appinstalltask

import (
	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
)

// reinstalledInstance returns the removed instance that the task installs again. It returns nil for
// all other tasks.
func (s *scope) reinstalledInstance() *v1alpha1.AppInstance {
	if s.task.Spec.Action == v1alpha1.ActionInstall && transitions.StateOf(s.instance) == transitions.Uninstalled {
		return s.instance
	}
	return nil
}

// initialSpec returns the spec of an installed instance before the task is applied to it: the
// reference of the app and, if the instance is installed again, its titles and its credential.
// valuesSource supplies its values and inputs.
func (s *scope) initialSpec(earlier v1alpha1.AppInstanceSpec) v1alpha1.AppInstanceSpec {
	spec := v1alpha1.AppInstanceSpec{AppRef: earlier.AppRef}
	if s.reinstalledInstance() != nil {
		spec.Title, spec.Entrances, spec.CredentialSecretRef = earlier.Title, earlier.Entrances, earlier.CredentialSecretRef
	}
	return spec
}
