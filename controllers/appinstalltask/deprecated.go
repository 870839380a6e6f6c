package appinstalltask

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// markAdmitted sets the Admitted condition to True. If the version is deprecated, it adds a warning to
// the message and emits an event.
func (s *scope) markAdmitted() {
	message := "all checks passed"
	if s.version != nil && s.version.Deprecated {
		warning := fmt.Sprintf("version %s of app %q is deprecated by its chart and may no longer be maintained", s.version.Version, s.app.Info.Spec.App)
		message += "; warning: " + warning
		s.statusWriter.Report(corev1.EventTypeWarning, v1alpha1.EventDeprecated, warning)
	}
	s.statusWriter.MarkTrue(v1alpha1.ConditionAdmitted, v1alpha1.ReasonAdmitted, message)
}
