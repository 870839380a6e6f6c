package preflight

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
)

// defaultAccount is the service account that exists in every namespace.
const defaultAccount = "default"

// hookPod is a hook that creates Pods with a service account.
type hookPod struct {
	object  *object
	account string
	moments []string
	weight  int
}

// hookPods returns the hooks of the operation in the tenant's namespace whose service
// account the app does not create before they run.
func (d *Demand) hookPods(facts *Facts) []hookPod {
	var all []hookPod
	for i := range d.workloads {
		w := &d.workloads[i]
		account := cmp.Or(w.pod.Spec.ServiceAccountName, w.pod.Spec.DeprecatedServiceAccount, defaultAccount)
		if !w.object.hook || account == defaultAccount || d.place(w.object, facts) != d.wish.Tenant.Namespace {
			continue
		}
		hook := hookPod{object: w.object, account: account}
		hook.moments, hook.weight = momentsOf(w.object)
		hook.moments = slices.DeleteFunc(hook.moments, func(m string) bool { return !slices.Contains(d.wish.Moments, m) })
		if len(hook.moments) > 0 && !d.providesAccount(hook, facts) {
			all = append(all, hook)
		}
	}
	return all
}

// providesAccount reports whether the app creates the service account of a hook before the
// hook runs: as a regular object if the hook runs after these, as a hook that runs no
// later, or in a chart that is installed earlier.
func (d *Demand) providesAccount(hook hookPod, facts *Facts) bool {
	return slices.ContainsFunc(d.objects, func(o object) bool {
		if !o.is(corev1.SchemeGroupVersion, "ServiceAccount") || o.name != hook.account || d.place(&o, facts) != d.wish.Tenant.Namespace {
			return false
		}
		if o.unit != hook.object.unit {
			return o.unit < hook.object.unit
		}
		if !o.hook {
			return !slices.ContainsFunc(hook.moments, isBefore)
		}
		moments, weight := momentsOf(&o)
		return !slices.ContainsFunc(hook.moments, func(moment string) bool {
			early := !isBefore(moment) && slices.ContainsFunc(moments, isBefore)
			return !early && (!slices.Contains(moments, moment) || weight > hook.weight)
		})
	})
}

// isBefore reports whether hooks of a moment run before Helm creates the objects.
func isBefore(moment string) bool { return strings.HasPrefix(moment, "pre-") && moment != "pre-delete" }

// momentsOf returns the moments at which Helm runs a hook, and the weight of the hook.
func momentsOf(o *object) (moments []string, weight int) {
	var content map[string]any
	if err := yaml.Unmarshal(o.text, &content); err != nil {
		return nil, 0
	}
	for moment := range strings.SplitSeq(textAt(content, "metadata", "annotations", hookMark), ",") {
		moments = append(moments, strings.TrimSpace(moment))
	}
	weight, _ = strconv.Atoi(textAt(content, "metadata", "annotations", hookMark+"-weight"))
	return moments, weight
}

// Accounts returns the service accounts of hooks in the tenant's namespace that the app
// does not create in time, sorted and without duplicates.
func (d *Demand) Accounts(facts *Facts) []string {
	var names []string
	for _, hook := range d.hookPods(facts) {
		names = append(names, hook.account)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// checkAccounts reports hooks whose service account does not exist when they run.
func (d *Demand) checkAccounts(facts *Facts) []Problem {
	var problems []Problem
	for _, hook := range d.hookPods(facts) {
		if facts.Accounts[hook.account] {
			continue
		}
		when := strings.Join(hook.moments, " and ")
		if slices.ContainsFunc(d.objects, func(o object) bool {
			return o.is(corev1.SchemeGroupVersion, "ServiceAccount") && o.name == hook.account
		}) {
			problems = append(problems, final(v1alpha1.ReasonServiceAccountMissing,
				"%s: the %s hook runs as service account %s, which the chart creates only afterwards; create the account in namespace %s first, or have the chart corrected",
				hook.object.title(), when, hook.account, d.wish.Tenant.Namespace))
			continue
		}
		problems = append(problems, passing(v1alpha1.ReasonServiceAccountMissing,
			"%s: the %s hook runs as service account %s, which does not exist in namespace %s; create it, or name another in the values",
			hook.object.title(), when, hook.account, d.wish.Tenant.Namespace))
	}
	return problems
}
