package health

import (
	"fmt"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
)

// maxMessage bounds the description of an object in bytes.
const maxMessage = 400

// forbiddenPattern matches the message of Kubernetes for a request without permission.
var forbiddenPattern = regexp.MustCompile(
	`User "([^"]*)" cannot (\S+) resource "([^"]*)"(?: in API group "([^"]*)")?(?: in the namespace "([^"]*)")?`)

// permissionError converts an error about a missing permission into a message for the tenant.
// Other errors are returned unchanged and retried.
func permissionError(err error) error {
	if err == nil || !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err) {
		return err
	}
	m := forbiddenPattern.FindStringSubmatch(err.Error())
	if m == nil {
		return outcome.Failed(v1alpha1.ReasonPermissionDenied, err)
	}
	who := "user " + m[1]
	if account, ok := strings.CutPrefix(m[1], "system:serviceaccount:"); ok {
		who = "service account " + strings.ReplaceAll(account, ":", "/")
	}
	what, where := m[3], "at cluster scope"
	if m[4] != "" {
		what += "." + m[4]
	}
	if m[5] != "" {
		where = "in namespace " + m[5]
	}
	return outcome.Failed(v1alpha1.ReasonPermissionDenied,
		fmt.Errorf("%s may not %s %s %s: grant it this permission", who, m[2], what, where))
}

// oneLine returns a message as one line of bounded length.
func oneLine(message string) string { return text.OneLine(message, maxMessage) }
