package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	podresource "k8s.io/component-helpers/resource"

	"github.com/appmarket/operator/api/v1alpha1"
)

// checkQuotas compares the objects that the app adds to the tenant's namespace with its
// quotas. The Pods of hooks and CronJobs are not counted, because they are created later
// and deleted again.
func (d *Requirements) checkQuotas(facts *Facts) []Problem {
	if len(facts.Quotas) == 0 {
		return nil
	}
	objects := d.objectCharges(facts)
	var problems []Problem
	for _, quota := range facts.Quotas {
		if quota.Scoped || slices.ContainsFunc(quota.Scopes, isUnknownScope) {
			continue
		}
		charged := corev1.ResourceList{}
		if len(quota.Scopes) == 0 {
			maps.Copy(charged, objects)
		}
		for i := range d.workloads {
			w := &d.workloads[i]
			if d.objectNamespace(w.object, facts) != d.request.Tenant.Namespace {
				continue
			}
			// Apply limit ranges first, because their defaults can move a Pod out of a
			// scope.
			pod := withDefaults(&w.pod, facts.Limits)
			if !isInScopes(pod, quota.Scopes) {
				continue
			}
			if p := d.missingRequestsProblem(w, pod, &quota); p != nil {
				problems = append(problems, *p)
			}
			if w.later {
				continue
			}
			for name, amount := range podCharges(pod) {
				addAmount(charged, name, multiplyQuantity(amount, w.podCount(facts)))
			}
		}
		problems = append(problems, d.quotaProblems(&quota, charged)...)
	}
	return problems
}

// quotaProblems reports the resources of a quota that the charges exceed.
func (d *Requirements) quotaProblems(quota *Quota, charged corev1.ResourceList) []Problem {
	var problems []Problem
	for _, name := range slices.Sorted(maps.Keys(quota.Hard)) {
		hard, requested := quota.Hard[name], charged[name]
		free, usage := hard.DeepCopy(), ""
		if used, ok := quota.Used[name]; ok && !d.request.Replaces {
			free.Sub(used)
			usage = fmt.Sprintf(", used: %s=%s", name, formatAmount(name, used))
		}
		if requested.IsZero() || requested.Cmp(free) <= 0 {
			continue
		}
		problem := newTransientProblem(v1alpha1.ReasonQuotaExceeded,
			"exceeded quota: %s, requested: %s=%s%s, limited: %s=%s; free resources in namespace %q, or have the quota increased",
			quota.Name, name, formatAmount(name, requested), usage, name, formatAmount(name, hard), d.request.Tenant.Namespace)
		problem.Final = requested.Cmp(hard) > 0
		problems = append(problems, problem)
	}
	return problems
}

// quotaRequiredResources contains the resources that every container must specify if a quota counts them.
var quotaRequiredResources = []corev1.ResourceName{
	corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory,
	corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory,
}

// missingRequestsProblem reports a container that does not specify a resource that a quota counts. The API
// server rejects such Pods.
func (d *Requirements) missingRequestsProblem(w *workload, pod *corev1.Pod, quota *Quota) *Problem {
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		charges := containerCharges(container.Resources)
		var missing []string
		for _, name := range quotaRequiredResources {
			_, counted := quota.Hard[name]
			_, specified := charges[name]
			if counted && !specified && pod.Spec.Resources == nil {
				missing = append(missing, string(name))
			}
		}
		if len(missing) > 0 {
			problem := newFinalProblem(v1alpha1.ReasonQuotaExceeded,
				"%s: failed quota: %s: must specify %s for container %q; set values for it, or create a LimitRange with defaults in namespace %q",
				w.object.kindAndName(), quota.Name, strings.Join(missing, ","), container.Name, d.request.Tenant.Namespace)
			return &problem
		}
	}
	return nil
}

func podCharges(pod *corev1.Pod) corev1.ResourceList {
	charges := containerCharges(corev1.ResourceRequirements{
		Requests: podresource.PodRequests(pod, podresource.PodResourcesOptions{}),
		Limits:   podresource.PodLimits(pod, podresource.PodResourcesOptions{}),
	})
	charges[corev1.ResourcePods] = *resource.NewQuantity(1, resource.DecimalSI)
	charges["count/pods"] = charges[corev1.ResourcePods]
	return charges
}

// containerCharges returns requests and limits under the resource names of quotas. Requests
// of CPU, memory and ephemeral storage are also counted without the prefix.
func containerCharges(asked corev1.ResourceRequirements) corev1.ResourceList {
	charges := corev1.ResourceList{}
	for name, amount := range asked.Requests {
		charges[corev1.DefaultResourceRequestsPrefix+name] = amount
		if !strings.Contains(string(name), "/") {
			charges[name] = amount
		}
	}
	for name, amount := range asked.Limits {
		charges["limits."+name] = amount
	}
	return charges
}

// objectCharges returns the number of objects that the app creates in the tenant's
// namespace, and the storage of its claims.
func (d *Requirements) objectCharges(facts *Facts) corev1.ResourceList {
	charges := corev1.ResourceList{}
	count := func(number int64, names ...string) {
		for _, name := range names {
			addAmount(charges, corev1.ResourceName(name), *resource.NewQuantity(number, resource.DecimalSI))
		}
	}
	// Helm stores each release in a Secret.
	count(int64(len(d.request.Units)), "secrets", "count/secrets")
	for i := range d.objects {
		o := &d.objects[i]
		kind, ok := d.servedKind(o, facts)
		if !ok || o.hook || d.objectNamespace(o, facts) != d.request.Tenant.Namespace || kind.Resource == "persistentvolumeclaims" {
			continue
		}
		if o.gvk.Group == "" {
			count(1, kind.Resource, "count/"+kind.Resource)
			continue
		}
		count(1, fmt.Sprintf("count/%s.%s", kind.Resource, o.gvk.Group))
		if o.gvk.Kind == "Deployment" {
			count(1, "count/replicasets.apps")
		}
	}
	d.claimCharges(facts, charges, count)
	for _, s := range d.services {
		switch {
		case d.objectNamespace(s.object, facts) != d.request.Tenant.Namespace:
		case s.spec.Type == corev1.ServiceTypeNodePort:
			count(int64(len(s.spec.Ports)), string(corev1.ResourceServicesNodePorts))
		case s.spec.Type == corev1.ServiceTypeLoadBalancer:
			count(1, string(corev1.ResourceServicesLoadBalancers))
		}
	}
	// Pods are counted by podCharges, including Pods that are objects of the chart.
	delete(charges, corev1.ResourcePods)
	delete(charges, "count/pods")
	return charges
}

func (d *Requirements) claimCharges(facts *Facts, charges corev1.ResourceList, count func(int64, ...string)) {
	const ofClass = ".storageclass.storage.k8s.io/"
	for i := range d.claims {
		c := &d.claims[i]
		copies := d.newClaimCount(c, facts)
		if copies == 0 || d.objectNamespace(c.object, facts) != d.request.Tenant.Namespace {
			continue
		}
		name, named := storageClassName(&c.spec)
		if !named {
			name = facts.DefaultClass
		}
		storage := multiplyQuantity(c.spec.Spec.Resources.Requests[corev1.ResourceStorage], copies)
		addAmount(charges, corev1.ResourceRequestsStorage, storage)
		count(copies, "persistentvolumeclaims", "count/persistentvolumeclaims")
		if name != "" {
			addAmount(charges, corev1.ResourceName(name+ofClass)+corev1.ResourceRequestsStorage, storage)
			count(copies, name+ofClass+"persistentvolumeclaims")
		}
	}
}

// isUnknownScope reports whether a scope is not evaluated.
func isUnknownScope(scope corev1.ResourceQuotaScope) bool {
	switch scope {
	case corev1.ResourceQuotaScopeTerminating, corev1.ResourceQuotaScopeNotTerminating,
		corev1.ResourceQuotaScopeBestEffort, corev1.ResourceQuotaScopeNotBestEffort:
		return false
	}
	return true
}

func isInScopes(pod *corev1.Pod, scopes []corev1.ResourceQuotaScope) bool {
	for _, scope := range scopes {
		var in bool
		switch scope {
		case corev1.ResourceQuotaScopeTerminating:
			in = pod.Spec.ActiveDeadlineSeconds != nil
		case corev1.ResourceQuotaScopeNotTerminating:
			in = pod.Spec.ActiveDeadlineSeconds == nil
		case corev1.ResourceQuotaScopeBestEffort:
			in = isBestEffort(pod)
		case corev1.ResourceQuotaScopeNotBestEffort:
			in = !isBestEffort(pod)
		}
		if !in {
			return false
		}
	}
	return true
}

// isBestEffort reports whether a Pod has no requests and no limits of CPU and memory.
func isBestEffort(pod *corev1.Pod) bool {
	for name := range containerCharges(corev1.ResourceRequirements{
		Requests: podresource.PodRequests(pod, podresource.PodResourcesOptions{}),
		Limits:   podresource.PodLimits(pod, podresource.PodResourcesOptions{}),
	}) {
		if slices.Contains(quotaRequiredResources, name) {
			return false
		}
	}
	return true
}
