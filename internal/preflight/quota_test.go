package preflight_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preflight"
)

func TestQuota(t *testing.T) {
	web := strings.Replace(deploymentYAML("web", "cpu: 1, memory: 1Gi", ""), "spec:\n", "spec:\n  replicas: 3\n", 1)
	limited := "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: app, resources: {limits: {cpu: 2, memory: 1Gi, nvidia.com/gpu: 1}}}]}"
	bare := "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: app}]}"
	hook := "apiVersion: v1\nkind: Pod\nmetadata: {name: web, annotations: {helm.sh/hook: pre-install}}\nspec: {containers: [{name: app, resources: {requests: {cpu: 9}}}]}"
	set := "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: {replicas: 3, template: {spec: {containers: [{name: a}]}}, volumeClaimTemplates: [{metadata: {name: disk}, spec: {resources: {requests: {storage: 5Gi}}}}]}"
	service := func(kind string) string {
		return "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {type: " + kind + ", ports: [{port: 80}, {port: 443}]}"
	}
	exceeded := func(final bool, words ...string) []want {
		return []want{{v1alpha1.ReasonQuotaExceeded, final, append(words, "quota: all", `namespace "team"`)}}
	}
	for _, c := range []struct {
		why, text, hard, used string
		scopes                []corev1.ResourceQuotaScope
		wants                 []want
	}{
		{"enough is left", web, "requests.cpu=4 pods=10", "requests.cpu=1", nil, nil},
		{"too little is left", web, "requests.cpu=4", "requests.cpu=1500m", nil, exceeded(false, "requested: requests.cpu=3", "used: requests.cpu=1500m, limited: requests.cpu=4")},
		{"the quota is too small", web, "cpu=2", "", nil, exceeded(true, "requested: cpu=3", "limited: cpu=2")},
		{"memory", web, "memory=8Gi", "memory=6Gi", nil, exceeded(false, "requested: memory=3Gi", "used: memory=6Gi, limited: memory=8Gi")},
		{"pods", web, "pods=5", "pods=3", nil, exceeded(false, "requested: pods=3", "used: pods=3, limited: pods=5")},
		{"limits, and requests that follow from them", limited, "limits.cpu=1 requests.cpu=1", "", nil,
			append(exceeded(true, "requested: limits.cpu=2"), exceeded(true, "requested: requests.cpu=2")...)},
		{"devices", limited, "requests.nvidia.com/gpu=0", "", nil, exceeded(true, "requested: requests.nvidia.com/gpu=1")},
		{"a container that does not say", bare, "limits.memory=1Gi requests.cpu=1", "", nil, exceeded(true, `must specify requests.cpu,limits.memory for container "app"`)},
		{"what hooks ask for comes and goes", hook, "requests.cpu=1", "", nil, nil},
		{"claims of a stateful set", set, "requests.storage=10Gi persistentvolumeclaims=2", "", nil,
			append(exceeded(true, "requested: persistentvolumeclaims=3"), exceeded(true, "requested: requests.storage=15Gi")...)},
		{"claims of a class", set, "slow.storageclass.storage.k8s.io/requests.storage=20Gi slow.storageclass.storage.k8s.io/persistentvolumeclaims=1", "", nil,
			exceeded(true, "requested: slow.storageclass.storage.k8s.io/persistentvolumeclaims=3")},
		{"claims of another class", set, "fast.storageclass.storage.k8s.io/requests.storage=1Gi", "", nil, nil},
		{"objects by kind", web + "\n---\n" + set, "count/deployments.apps=0 count/replicasets.apps=0 count/statefulsets.apps=1 count/pods=5", "", nil,
			append(append(exceeded(true, "requested: count/deployments.apps=1"), exceeded(true, "requested: count/pods=6")...), exceeded(true, "requested: count/replicasets.apps=1")...)},
		{"the record of the release", "", "secrets=3", "secrets=3", nil, exceeded(false, "requested: secrets=1", "used: secrets=3, limited: secrets=3")},
		{"node ports", service("NodePort"), "services.nodeports=1", "", nil, exceeded(true, "requested: services.nodeports=2")},
		{"load balancers", service("LoadBalancer"), "services.loadbalancers=0 services=1", "", nil, exceeded(true, "requested: services.loadbalancers=1")},
		{"pods that end only", web, "pods=1", "", []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeTerminating}, nil},
		{"pods that do not end", web, "pods=1", "", []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeNotTerminating}, exceeded(true, "requested: pods=3")},
		{"pods that ask for nothing", bare + "\n---\n" + web, "pods=0", "", []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeBestEffort}, exceeded(true, "requested: pods=1")},
		{"pods that ask for something", bare + "\n---\n" + web, "pods=2", "", []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeNotBestEffort}, exceeded(true, "requested: pods=3")},
		{"a scope that is not looked into", web, "pods=0", "", []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopePriorityClass}, nil},
		{"objects of another namespace", strings.Replace(web, "{name: web}", "{name: web, namespace: other}", 1), "pods=0", "", nil, nil},
		{"the namespace of the templates is the tenant's", strings.Replace(web, "{name: web}", "{name: web, namespace: default}", 1), "pods=0", "", nil, exceeded(true, "requested: pods=3")},
	} {
		f := newFacts()
		f.Quotas = []preflight.Quota{{Name: "all", Scopes: c.scopes, Hard: parseResources(c.hard), Used: parseResources(c.used)}}
		expectProblems(t, c.why, checkRequest(t, newRequest(c.text), f), c.wants...)
	}

	f := newFacts()
	f.Quotas = []preflight.Quota{{Name: "all", Hard: parseResources("requests.cpu=4"), Used: parseResources("requests.cpu=4")}}
	w := newRequest(web)
	w.Replaces = true
	expectProblems(t, "an app in place of itself", checkRequest(t, w, f))
	f.Quotas[0].Hard = parseResources("requests.cpu=2")
	expectProblems(t, "an app in place of itself that is too large", checkRequest(t, w, f), exceeded(true, "requested: requests.cpu=3, limited: requests.cpu=2")...)

	f = newFacts()
	f.Quotas = []preflight.Quota{{Name: "all", Hard: parseResources("limits.memory=1Gi")}}
	f.Limits = []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, Default: parseResources("memory=128Mi")}}
	expectProblems(t, "a default of the namespace", checkRequest(t, newRequest(bare), f))

	f.Quotas = []preflight.Quota{{Name: "all", Scopes: []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeBestEffort}, Hard: parseResources("pods=0")}}
	expectProblems(t, "a default takes the pod out of a scope", checkRequest(t, newRequest(bare), f))
	f.Quotas[0].Scopes = []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeNotBestEffort}
	expectProblems(t, "a default takes the pod into a scope", checkRequest(t, newRequest(bare), f), exceeded(true, "requested: pods=1")...)
}
