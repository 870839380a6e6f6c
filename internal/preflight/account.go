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
func (d *Requirements) hookPods(facts *Facts) []hookPod {
	var all []hookPod
	for i := range d.workloads {
		w := &d.workloads[i]
		account := cmp.Or(w.pod.Spec.ServiceAccountName, w.pod.Spec.DeprecatedServiceAccount, defaultAccount)
		if !w.object.hook || account == defaultAccount || d.objectNamespace(w.object, facts) != d.request.Tenant.Namespace {
			continue
		}
		hook := hookPod{object: w.object, account: account}
		hook.moments, hook.weight = hookEventsOf(w.object)
		hook.moments = slices.DeleteFunc(hook.moments, func(m string) bool { return !slices.Contains(d.request.HookEvents, m) })
		if len(hook.moments) > 0 && !d.providesAccount(hook, facts) {
			all = append(all, hook)
		}
	}
	return all
}

// providesAccount reports whether the app creates the service account of a hook before the
// hook runs: as a regular object if the hook runs after these, as a hook that runs no
// later, or in a chart that is installed earlier.
func (d *Requirements) providesAccount(hook hookPod, facts *Facts) bool {
	return slices.ContainsFunc(d.objects, func(o object) bool {
		if !o.isKind(corev1.SchemeGroupVersion, "ServiceAccount") || o.name != hook.account || d.objectNamespace(&o, facts) != d.request.Tenant.Namespace {
			return false
		}
		if o.unit != hook.object.unit {
			return o.unit < hook.object.unit
		}
		if !o.hook {
			return !slices.ContainsFunc(hook.moments, isPreHook)
		}
		moments, weight := hookEventsOf(&o)
		return !slices.ContainsFunc(hook.moments, func(moment string) bool {
			early := !isPreHook(moment) && slices.ContainsFunc(moments, isPreHook)
			return !early && (!slices.Contains(moments, moment) || weight > hook.weight)
		})
	})
}

// isPreHook reports whether hooks of a moment run before Helm creates the objects.
func isPreHook(moment string) bool {
	return strings.HasPrefix(moment, "pre-") && moment != "pre-delete"
}

// hookEventsOf returns the moments at which Helm runs a hook, and the weight of the hook.
func hookEventsOf(o *object) (moments []string, weight int) {
	var content map[string]any
	if err := yaml.Unmarshal(o.text, &content); err != nil {
		return nil, 0
	}
	for moment := range strings.SplitSeq(nestedString(content, "metadata", "annotations", hookAnnotation), ",") {
		moments = append(moments, strings.TrimSpace(moment))
	}
	weight, _ = strconv.Atoi(nestedString(content, "metadata", "annotations", hookAnnotation+"-weight"))
	return moments, weight
}

// Accounts returns the service accounts of hooks in the tenant's namespace that the app
// does not create in time, sorted and without duplicates.
func (d *Requirements) Accounts(facts *Facts) []string {
	var names []string
	for _, hook := range d.hookPods(facts) {
		names = append(names, hook.account)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// checkAccounts reports hooks whose service account does not exist when they run.
func (d *Requirements) checkAccounts(facts *Facts) []Problem {
	var problems []Problem
	for _, hook := range d.hookPods(facts) {
		if facts.Accounts[hook.account] {
			continue
		}
		when := strings.Join(hook.moments, " and ")
		if slices.ContainsFunc(d.objects, func(o object) bool {
			return o.isKind(corev1.SchemeGroupVersion, "ServiceAccount") && o.name == hook.account
		}) {
			problems = append(problems, newFinalProblem(v1alpha1.ReasonServiceAccountNotFound,
				"%s: service account %q of the %s hook is created only after the hook has run; create it in namespace %q first, or correct the chart",
				hook.object.kindAndName(), hook.account, when, d.request.Tenant.Namespace))
			continue
		}
		problems = append(problems, newTransientProblem(v1alpha1.ReasonServiceAccountNotFound,
			"%s: service account %q of the %s hook not found in namespace %q; create it, or set another one in the values",
			hook.object.kindAndName(), hook.account, when, d.request.Tenant.Namespace))
	}
	return problems
}
