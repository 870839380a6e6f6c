package health

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/impersonation"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
)

// maxMessage bounds the description of an object in bytes.
const maxMessage = 400

// permissionError converts an error about a missing permission into a message for the tenant.
// Other errors are returned unchanged and retried.
func permissionError(err error) error {
	if err == nil || !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err) {
		return err
	}
	denials := impersonation.Denials(err.Error())
	if len(denials) == 0 {
		return outcome.Failed(v1alpha1.ReasonPermissionDenied, err)
	}
	return outcome.Failed(v1alpha1.ReasonPermissionDenied, fmt.Errorf("%s; grant it the permission", denials[0]))
}

// oneLine returns a message as one line of bounded length.
func oneLine(message string) string { return text.OneLine(message, maxMessage) }
