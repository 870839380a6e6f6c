package preflight

import (
	"fmt"
	"slices"
	"strings"

	"github.com/appmarket/operator/internal/text"
)

const (
	// MaxRemedy is the maximum size of a remedy in bytes.
	MaxRemedy = 16 << 10
	// RemedyPlaceholder is the placeholder for the remedy in messages. A caller that stores the
	// remedy replaces it with the path of the field.
	RemedyPlaceholder = "the remedy"
)

// Problem is a requirement of the app that is not satisfied.
type Problem struct {
	// Reason is a condition reason of api/v1alpha1.
	Reason string
	// Message is one sentence that contains the object, its requirement, the state of the
	// cluster, and the solution.
	Message string
	// Final reports whether the problem remains until the app, its values or the name of
	// the instance is changed. Other problems may be solved meanwhile: resources may become
	// available, and permissions, service accounts, kinds and storage classes may be added.
	Final bool
	// Remedy is YAML that solves the problem when it is applied, at most MaxRemedy bytes,
	// or "". The message refers to it as RemedyPlaceholder.
	Remedy string
}

func newFinalProblem(reason, format string, args ...any) Problem {
	return Problem{Reason: reason, Message: fmt.Sprintf(format, args...), Final: true}
}

func newTransientProblem(reason, format string, args ...any) Problem {
	return Problem{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// Check compares the requirements with the facts and returns all problems in a stable order, the
// problems of the chart and the cluster first.
func (d *Requirements) Check(facts *Facts) []Problem {
	if d.request.RightsOnly {
		return slices.Concat(d.checkReleases(facts), d.checkPermissions(facts), d.checkAccounts(facts))
	}
	problems := append([]Problem(nil), d.invalidObjects...)
	for _, check := range []func(*Facts) []Problem{
		d.checkForm,
		d.checkNamespace,
		d.checkReleases,
		d.checkAnswers,
		d.checkKubernetes,
		d.checkKinds,
		d.checkDuplicates,
		d.checkArchitecture,
		d.checkNodes,
		d.checkStorage,
		d.checkPodSecurity,
		d.checkQuotas,
		d.checkPermissions,
		d.checkAccounts,
		d.checkPullSecrets,
	} {
		problems = append(problems, check(facts)...)
	}
	return problems
}

// maxNamed is the maximum number of items that a message lists.
const maxNamed = 5

// joinNames joins the first maxNamed names and adds the number of the others.
func joinNames(names []string) string { return joinNamesWith(", ", names) }

func joinNamesWith(separator string, names []string) string {
	if len(names) <= maxNamed {
		return strings.Join(names, separator)
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], separator), len(names)-maxNamed)
}

// otherObjectsText returns a phrase about the objects in addition to the first one.
func otherObjectsText(all int) string {
	switch all {
	case 1:
		return ""
	case 2:
		return " and 1 other object"
	}
	return fmt.Sprintf(" and %d other objects", all-1)
}

// maxQuoted is the maximum length of a quoted text in bytes.
const maxQuoted = 300

// truncateText returns a text of the chart or the cluster for use in a message.
func truncateText(quoted string) string { return text.OneLine(quoted, maxQuoted) }
