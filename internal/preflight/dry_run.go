package preflight

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/appmarket/operator/api/v1alpha1"
)

// maxAttempts is the maximum number of dry runs for one app.
const maxAttempts = 200

// Attempt is an object whose creation the API server is requested to simulate with a dry
// run. Only the API server can determine which objects its validation, webhooks and policies
// reject, and which names are in use.
type Attempt struct {
	Kind      schema.GroupVersionKind
	Namespace string
	Name      string
	// Text is the object as JSON.
	Text []byte
}

// Answer is the result of an attempt. The zero value means that the object can be created,
// or that the result is unknown.
type Answer struct {
	// Refusal is the reason why the API server rejects the object.
	Refusal string
	// Exists reports whether an object with this name exists. Release and Namespace
	// identify the release that it belongs to, if any.
	Exists    bool
	Release   string
	Namespace string
}

// attemptedObjects returns the objects of Attempts in the same order. It omits objects of unknown
// kinds, existing objects of the instance, objects without a fixed name, objects in
// namespaces for which the account lacks permissions, and objects that depend on lookups of
// templates.
func (d *Requirements) attemptedObjects(facts *Facts) []*object {
	if d.request.RightsOnly {
		return nil
	}
	type identity struct {
		kind            schema.GroupKind
		namespace, name string
	}
	skipped := map[identity]bool{}
	for i := range d.existing {
		o := &d.existing[i]
		skipped[identity{o.gvk.GroupKind(), d.objectNamespace(o, facts), o.name}] = true
	}
	for name := range d.retained {
		skipped[identity{corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim").GroupKind(), d.request.Tenant.Namespace, name}] = true
	}
	denied := map[string]bool{}
	for _, need := range facts.Missing {
		denied[need.Namespace] = true
	}
	var all []*object
	for i := range d.objects {
		o := &d.objects[i]
		namespace := d.objectNamespace(o, facts)
		_, known := facts.Kinds[o.gvk]
		if !known || o.early || o.provisional || o.generated || len(o.faults) > 0 || denied[namespace] || d.isOwnNamespace(o) ||
			skipped[identity{o.gvk.GroupKind(), namespace, o.name}] {
			continue
		}
		if all = append(all, o); len(all) == maxAttempts {
			break
		}
	}
	return all
}

// Attempts returns the objects for which a dry run is requested, at most 200.
func (d *Requirements) Attempts(facts *Facts) []Attempt {
	var all []Attempt
	for _, o := range d.attemptedObjects(facts) {
		all = append(all, Attempt{Kind: o.gvk, Namespace: d.objectNamespace(o, facts), Name: o.name, Text: o.text})
	}
	return all
}

// checkAnswers reports objects that the API server rejects, and objects that exist and do
// not belong to the release. An existing hook is replaced and therefore not reported.
func (d *Requirements) checkAnswers(facts *Facts) []Problem {
	var problems []Problem
	taken := map[takenBy][]string{}
	var owners []takenBy
	for i, o := range d.attemptedObjects(facts) {
		if i >= len(facts.Answers) {
			break
		}
		answer := facts.Answers[i]
		if answer.Refusal != "" {
			problems = append(problems, newFinalProblem(v1alpha1.ReasonInvalidObject,
				"%s: %s; correct the values or the chart", o.kindAndName(), answer.Refusal))
		}
		if !answer.Exists || o.hook || d.isOwnedByRelease(o, answer) {
			continue
		}
		owner := takenBy{answer.ownerText(d.request.Tenant.Namespace), d.otherNameAdvice(o, answer, facts)}
		if taken[owner] == nil {
			owners = append(owners, owner)
		}
		taken[owner] = append(taken[owner], o.kindAndName())
	}
	for _, owner := range owners {
		advice := owner.advice
		if advice == "" {
			advice = removalAdvice(len(taken[owner])) + ", or use another name for the instance"
		}
		problems = append(problems, newFinalProblem(v1alpha1.ReasonObjectExists, "%s; %s", takenMessage(taken[owner], owner.text), advice))
	}
	return problems
}

// takenBy is the owner of existing objects, and the advice for them.
type takenBy struct{ text, advice string }

// otherNameAdvice returns the advice for an object that belongs to another Helm release, which must not be deleted.
// It returns "" for an object that belongs to no release.
func (d *Requirements) otherNameAdvice(o *object, answer Answer, facts *Facts) string {
	switch {
	case answer.Release == "":
		return ""
	case d.objectNamespace(o, facts) == d.request.Tenant.Namespace:
		return "the app can be installed once in a namespace under these names: use another namespace"
	}
	return "the app can be installed once under these names: use values that change the names"
}

// isOwnedByRelease reports whether an existing object belongs to the installed release.
func (d *Requirements) isOwnedByRelease(o *object, answer Answer) bool {
	release := d.request.Units[o.unit].Release
	return release != "" && answer.Release == release && answer.Namespace == d.request.Tenant.Namespace
}

// ownerText describes the Helm release that manages an object.
func (a Answer) ownerText(namespace string) string {
	switch {
	case a.Release == "":
		return "not managed by Helm"
	case a.Namespace != namespace:
		return fmt.Sprintf("managed by Helm release %q in namespace %q", a.Release, a.Namespace)
	}
	return fmt.Sprintf("managed by Helm release %q", a.Release)
}

func takenMessage(titles []string, owner string) string {
	if len(titles) == 1 {
		return fmt.Sprintf("%s already exists and is %s", titles[0], owner)
	}
	return fmt.Sprintf("%s already exist and are %s", joinNames(titles), owner)
}

func removalAdvice(number int) string {
	if number == 1 {
		return "delete it"
	}
	return "delete them"
}

// RefusalMessage joins the first errors that an API server returns for the fields of an object.
func RefusalMessage(faults []string) string {
	return truncateText(strings.Join(faults[:min(len(faults), maxPhrases)], "; ")) + moreErrorsText(len(faults)-maxPhrases)
}

func moreErrorsText(number int) string {
	if number <= 0 {
		return ""
	}
	return fmt.Sprintf(" (and %s)", formatCount(number, "more error"))
}
