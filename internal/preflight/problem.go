package preflight

import (
	"fmt"
	"slices"
	"strings"

	"github.com/appmarket/operator/internal/text"
)

const (
	// MaxRemedy bounds a remedy in bytes.
	MaxRemedy = 16 << 10
	// TheRemedy is how a message refers to the remedy of its problem. A caller that
	// knows where people find the remedy puts that place instead.
	TheRemedy = "the remedy"
)

// Problem is something that stands in the way of an installation.
type Problem struct {
	// Reason is a constant of api/v1alpha1.
	Reason string
	// Message is one sentence: which object asks for what, what there is, and how to
	// mend it.
	Message string
	// Final says that waiting is of no use until the app, its values or the name of the
	// instance are changed. Room that others give back is waited for, and so are rights,
	// accounts, kinds and storage classes, which somebody may add meanwhile.
	Final bool
	// Remedy is YAML to apply that mends it, at most MaxRemedy; mostly empty. The
	// message refers to it as TheRemedy.
	Remedy string
}

func final(reason, format string, args ...any) Problem {
	return Problem{Reason: reason, Message: fmt.Sprintf(format, args...), Final: true}
}

func passing(reason, format string, args ...any) Problem {
	return Problem{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// Check compares the demand with the facts and returns every problem, those of
// chart and cluster first, in the same order each time.
func (d *Demand) Check(facts *Facts) []Problem {
	if d.wish.RightsOnly {
		return slices.Concat(d.checkReleases(facts), d.checkPermissions(facts), d.checkAccounts(facts))
	}
	problems := append([]Problem(nil), d.unread...)
	for _, check := range []func(*Facts) []Problem{
		d.checkForm,
		d.checkNamespace,
		d.checkReleases,
		d.checkAnswers,
		d.checkKubernetes,
		d.checkKinds,
		d.checkDoubled,
		d.checkArchitecture,
		d.checkNodes,
		d.checkStorage,
		d.checkPodSecurity,
		d.checkQuotas,
		d.checkPermissions,
		d.checkAccounts,
	} {
		problems = append(problems, check(facts)...)
	}
	return problems
}

// maxNamed bounds how many things a message lists.
const maxNamed = 5

// listed joins names, and counts those that are too many.
func listed(names []string) string { return joinedBy(", ", names) }

func joinedBy(separator string, names []string) string {
	if len(names) <= maxNamed {
		return strings.Join(names, separator)
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], separator), len(names)-maxNamed)
}

// others says how many more objects there are beside the one that is named.
func others(all int) string {
	switch all {
	case 1:
		return ""
	case 2:
		return " and 1 other object"
	}
	return fmt.Sprintf(" and %d other objects", all-1)
}

// maxQuoted bounds what is quoted of a chart, in bytes.
const maxQuoted = 300

// quoted is a text of a chart or of the cluster as part of a message.
func quoted(said string) string { return text.OneLine(said, maxQuoted) }
