package release

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/impersonation"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
)

// maxErrorBytes bounds an error that describes a failure of an operation.
const maxErrorBytes = 800

// maxNamed bounds the number of permissions or kinds that an error names.
const maxNamed = 5

var (
	// escalation matches the error for granting permissions that the account does not have.
	escalation = regexp.MustCompile(`(\S+) "([^"]*)" is forbidden: user "[^"]*"[^:]*is attempting to grant RBAC permissions not currently held`)
	// missingKind matches the error of the REST mapper for a kind that the cluster does not serve.
	missingKind = regexp.MustCompile(`no matches for kind "([^"]+)" in (?:version|group) "([^"]*)"`)
	// conflict matches the error of Helm for an object that belongs to another release.
	conflict = regexp.MustCompile(`(\S+) "([^"]*)" in namespace "([^"]*)" exists and cannot be imported into the current release: (.*)`)
	// owner matches the release that owns the object.
	owner = regexp.MustCompile(`key "meta\.helm\.sh/release-(name|namespace)" must equal "[^"]*": current value is "([^"]*)"`)
	// wrongForm matches the error of the API server for a field of a wrong type.
	wrongForm = regexp.MustCompile(`(?:(\S+/\S+): )?\S+ in version "[^"]*" cannot be handled as an? (\w+):.*?json: cannot unmarshal (\w+) into Go struct field \w+\.(\S+) of type (\S+)`)
	// tooLong matches the error for a release record that does not fit into a Secret.
	tooLong = regexp.MustCompile(`(?i)Too long: (?:must have at most|may not be more than) \d+|request is too large|etcdserver: request is too large`)

	port      = regexp.MustCompile(`((?:\d{1,3}\.){3}\d{1,3}|\[[0-9a-fA-F:]+\]|localhost|://[^\s/":]+):\d{1,5}\b`)
	timestamp = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*`)
)

// classifyError classifies the error of an operation and describes it for the tenant. reason is used for an
// error that has no specific reason. judge does not change errors that have a reason already. An
// error that follows the end of ctx becomes a contextEndedError error.
func (o *operation) classifyError(reason string, err error) error {
	switch {
	case err == nil:
		return nil
	case outcome.Reason(err, "") != "":
		return err
	}
	if step, ok := errors.AsType[*stepFailure](o.cluster.failure); ok {
		return o.classifyStep(reason, step)
	}
	if o.ctx.Err() != nil {
		return o.newContextEndedError(err)
	}
	// Helm keeps only texts; the caller logs the stack.
	if panicked, ok := errors.AsType[*outcome.Panic](o.cluster.failure); ok {
		return panicked
	}
	text := err.Error()
	if failure := o.cluster.failure; failure != nil && !strings.Contains(text, failure.Error()) {
		text += ": " + failure.Error()
	}
	return o.classifyErrorText(reason, text)
}

// classifyStep classifies the failure of a step. It omits the text that Helm adds.
func (o *operation) classifyStep(reason string, step *stepFailure) error {
	if step.timedOut {
		reason = v1alpha1.ReasonTimedOut
	}
	return outcome.Failed(reason, sentenceError(withoutDetails(step.text)))
}

func (o *operation) classifyErrorText(reason, text string) error {
	if denials := o.describeDenials(text); len(denials) > 0 {
		return outcome.Failed(v1alpha1.ReasonPermissionDenied, sentenceError(strings.Join(denials, "; ")))
	}
	if kinds := findMissingKinds(text); len(kinds) > 0 {
		return outcome.Failed(v1alpha1.ReasonNoKindMatch, noMatchError(kinds))
	}
	if m := conflict.FindStringSubmatch(text); m != nil {
		return outcome.Failed(reason, sentenceError(describeConflict(m)))
	}
	if m := wrongForm.FindStringSubmatch(text); m != nil {
		return outcome.Failed(reason, sentenceError(describeForm(m)))
	}
	if tooLong.MatchString(text) {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded, sentenceError(
			"the record of the release exceeds the size of a Secret: reduce the chart or the values"))
	}
	return outcome.Failed(reason, sentenceError(withoutDetails(text)))
}

// describeDenials describes every missing permission.
func (o *operation) describeDenials(text string) []string {
	var named []string
	add := func(said string) {
		if !slices.Contains(named, said) && len(named) < maxNamed {
			named = append(named, said)
		}
	}
	for _, said := range impersonation.Denials(text) {
		add(said)
	}
	for _, m := range escalation.FindAllStringSubmatch(text, -1) {
		add(fmt.Sprintf("service account %q cannot grant the permissions of %s %q, because it does not have them",
			o.client.tenant.Namespace+"/"+o.client.tenant.ServiceAccount, m[1], m[2]))
	}
	return named
}

// describeForm describes which field of an object has a wrong type.
func describeForm(m []string) string {
	object := m[1]
	if object == "" {
		object = m[2]
	}
	return fmt.Sprintf("%s: %s must be %s, and is %s; correct the values, or have the chart corrected", object, m[4], describeType(m[5]), describeType(m[3]))
}

// describeType returns the YAML name of a type of Go or JSON.
func describeType(name string) string {
	name = strings.TrimPrefix(name, "*")
	switch {
	case strings.HasPrefix(name, "int"), strings.HasPrefix(name, "uint"), strings.HasPrefix(name, "float"), name == "number":
		return "a number"
	case name == "string":
		return "a string"
	case name == "bool":
		return "true or false"
	case strings.HasPrefix(name, "[]"), name == "array":
		return "a list"
	}
	return "a mapping"
}

// noMatchError describes which kinds the cluster does not serve, and the remedy.
func noMatchError(kinds []string) error {
	return sentenceError(fmt.Sprintf("no matches for %s: install the operator that provides the CRD first, or use a version of the app without it",
		strings.Join(kinds, ", ")))
}

func findMissingKinds(text string) []string {
	var named []string
	for _, m := range missingKind.FindAllStringSubmatch(text, -1) {
		kind := fmt.Sprintf("kind %q in version %q", m[1], m[2])
		if !slices.Contains(named, kind) && len(named) < maxNamed {
			named = append(named, kind)
		}
	}
	return named
}

// describeConflict describes the owner of an object that the release would create.
func describeConflict(m []string) string {
	said := fmt.Sprintf("%s %q", m[1], m[2])
	if m[3] != "" {
		said += fmt.Sprintf(" in namespace %q", m[3])
	}
	whose := map[string]string{}
	for _, found := range owner.FindAllStringSubmatch(m[4], -1) {
		whose[found[1]] = found[2]
	}
	return alreadyExistsMessage(said, whose["name"], whose["namespace"])
}

// alreadyExistsMessage describes which release manages an object, and the remedy. name and namespace
// are empty if they equal those in the current release. An object of another release must not be
// deleted.
func alreadyExistsMessage(object, name, namespace string) string {
	owner, remedy := "not managed by Helm", "delete it, or use another name for the instance"
	if name != "" || namespace != "" {
		remedy = "use another name for the instance, or uninstall that release first"
	}
	switch {
	case name != "" && namespace != "":
		owner = fmt.Sprintf("managed by Helm release %q in namespace %q", name, namespace)
	case name != "":
		owner = fmt.Sprintf("managed by Helm release %q", name)
	case namespace != "":
		owner = fmt.Sprintf("managed by the Helm release with the same name in namespace %q", namespace)
	}
	return fmt.Sprintf("%s already exists and is %s; %s", object, owner, remedy)
}

// withoutDetails removes ports and timestamps from a text, which would differ between two attempts.
func withoutDetails(text string) string {
	return timestamp.ReplaceAllString(port.ReplaceAllString(text, "$1"), "…")
}

func sentenceError(said string) error { return errors.New(oneLine(said)) }

// oneLine converts a text to one line of at most maxErrorBytes bytes.
func oneLine(said string) string { return text.OneLine(said, maxErrorBytes) }
