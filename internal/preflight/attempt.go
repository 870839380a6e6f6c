package preflight

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/appmarket/operator/api/v1alpha1"
)

// maxAttempts bounds the objects whose creation is attempted for one app.
const maxAttempts = 200

// Attempt is an object that Helm is about to create, and that the API server is asked
// to create without keeping it: only the API server knows what its validation, its
// webhooks and its policies refuse, and which names are taken.
type Attempt struct {
	Kind      schema.GroupVersionKind
	Namespace string
	Name      string
	// Text is the object as JSON.
	Text []byte
}

// Answer is what the API server answers to an attempt. The zero value is given for an
// object that it would create, and for one of which it does not say.
type Answer struct {
	// Refusal says why the API server would not create the object.
	Refusal string
	// Exists reports whether there is an object of the name. Release and Namespace
	// name the release that it belongs to, if it belongs to one.
	Exists    bool
	Release   string
	Namespace string
}

// attempted are the objects that Attempts returns, in its order: those whose kind the
// cluster has, that are not there as objects of the instance, in whose place the account
// lacks no right, and that do not depend on what a template finds in the cluster.
func (d *Demand) attempted(facts *Facts) []*object {
	if d.wish.RightsOnly {
		return nil
	}
	type identity struct {
		kind            schema.GroupKind
		namespace, name string
	}
	skipped := map[identity]bool{}
	for i := range d.there {
		o := &d.there[i]
		skipped[identity{o.gvk.GroupKind(), d.place(o, facts), o.name}] = true
	}
	for name := range d.retained {
		skipped[identity{corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim").GroupKind(), d.wish.Tenant.Namespace, name}] = true
	}
	denied := map[string]bool{}
	for _, need := range facts.Missing {
		denied[need.Namespace] = true
	}
	var all []*object
	for i := range d.objects {
		o := &d.objects[i]
		where := d.place(o, facts)
		_, known := facts.Kinds[o.gvk]
		if !known || o.early || o.provisional || o.generated || len(o.faults) > 0 || denied[where] || d.isOwnNamespace(o) ||
			skipped[identity{o.gvk.GroupKind(), where, o.name}] {
			continue
		}
		if all = append(all, o); len(all) == maxAttempts {
			break
		}
	}
	return all
}

// Attempts are the objects that the API server is asked about, at most 200.
func (d *Demand) Attempts(facts *Facts) []Attempt {
	var all []Attempt
	for _, o := range d.attempted(facts) {
		all = append(all, Attempt{Kind: o.gvk, Namespace: d.place(o, facts), Name: o.name, Text: o.text})
	}
	return all
}

// checkAnswers reports the objects that the API server refuses, and those that exist
// and belong to another release or to none. A hook of the same name is replaced.
func (d *Demand) checkAnswers(facts *Facts) []Problem {
	var problems []Problem
	taken := map[string][]string{}
	var owners []string
	for i, o := range d.attempted(facts) {
		if i >= len(facts.Answers) {
			break
		}
		answer := facts.Answers[i]
		if answer.Refusal != "" {
			problems = append(problems, final(v1alpha1.ReasonInvalidObject,
				"%s: %s; correct the values, or have the chart corrected", o.title(), answer.Refusal))
		}
		if !answer.Exists || o.hook || d.isOwn(o, answer) {
			continue
		}
		owner := answer.owner(d.wish.Tenant.Namespace)
		if taken[owner] == nil {
			owners = append(owners, owner)
		}
		taken[owner] = append(taken[owner], o.title())
	}
	for _, owner := range owners {
		problems = append(problems, final(v1alpha1.ReasonObjectExists, "%s; %s, or use another name for the instance",
			sentenceOfTaken(taken[owner], owner), removalOf(len(taken[owner]))))
	}
	return problems
}

// isOwn reports whether an object that exists belongs to the release that is installed.
func (d *Demand) isOwn(o *object, answer Answer) bool {
	release := d.wish.Units[o.unit].Release
	return release != "" && answer.Release == release && answer.Namespace == d.wish.Tenant.Namespace
}

// owner describes the release that an object belongs to.
func (a Answer) owner(here string) string {
	switch {
	case a.Release == "":
		return "no release"
	case a.Namespace != here:
		return fmt.Sprintf("release %s in namespace %s", a.Release, a.Namespace)
	}
	return "release " + a.Release
}

func sentenceOfTaken(titles []string, owner string) string {
	if len(titles) == 1 {
		return fmt.Sprintf("%s exists and belongs to %s", titles[0], owner)
	}
	return fmt.Sprintf("%s exist and belong to %s", listed(titles), owner)
}

func removalOf(number int) string {
	if number == 1 {
		return "delete it"
	}
	return "delete them"
}

// NewRefusal joins what an API server says about fields of an object, the first few of
// them.
func NewRefusal(faults []string) string {
	return quoted(strings.Join(faults[:min(len(faults), maxPhrases)], "; ")) + moreFaults(len(faults)-maxPhrases)
}

func moreFaults(number int) string {
	if number <= 0 {
		return ""
	}
	return fmt.Sprintf(" (and %s)", counted(number, "other fault"))
}
