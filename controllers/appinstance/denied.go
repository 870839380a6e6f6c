package appinstance

import (
	"errors"
	"fmt"

	"github.com/appmarket/operator/internal/outcome"
)

// describeDenied adds to the error about a missing right what to do about it.
func (s *scope) describeDenied(err error) error {
	const remedy = ": grant the right to the account, or name another one in spec.serviceAccountName"
	text := err.Error() + remedy
	if s.instance.Spec.ServiceAccountName == "" {
		text = fmt.Sprintf("spec.serviceAccountName is unset, and %s%s", err, remedy)
	}
	return outcome.Failed(outcome.Reason(err, ""), errors.New(text))
}
