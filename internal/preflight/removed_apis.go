package preflight

// removedKind is a built-in kind in an API version.
type removedKind struct{ version, kind string }

// removal contains the Kubernetes version that no longer serves a kind, and the API version
// to use instead, which can be empty.
type removal struct{ in, use string }

// removedKinds contains the built-in kinds that Kubernetes has removed, from its deprecation
// guide.
var removedKinds = newRemovedKinds(map[removal]map[string][]string{
	{"1.16", "apps/v1"}: {
		"extensions/v1beta1": {"Deployment", "DaemonSet", "ReplicaSet"},
		"apps/v1beta1":       {"Deployment", "StatefulSet", "ControllerRevision"},
		"apps/v1beta2":       {"Deployment", "DaemonSet", "ReplicaSet", "StatefulSet", "ControllerRevision"},
	},
	{"1.16", "networking.k8s.io/v1"}: {"extensions/v1beta1": {"NetworkPolicy"}},
	{"1.16", ""}:                     {"extensions/v1beta1": {"PodSecurityPolicy"}},
	{"1.21", "batch/v1"}:             {"batch/v2alpha1": {"CronJob"}},
	{"1.22", "networking.k8s.io/v1"}: {
		"extensions/v1beta1":        {"Ingress"},
		"networking.k8s.io/v1beta1": {"Ingress", "IngressClass"},
	},
	{"1.22", "rbac.authorization.k8s.io/v1"}: {
		"rbac.authorization.k8s.io/v1alpha1": {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"},
		"rbac.authorization.k8s.io/v1beta1":  {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"},
	},
	{"1.22", "admissionregistration.k8s.io/v1"}: {
		"admissionregistration.k8s.io/v1beta1": {"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"},
	},
	{"1.22", "apiextensions.k8s.io/v1"}:   {"apiextensions.k8s.io/v1beta1": {"CustomResourceDefinition"}},
	{"1.22", "apiregistration.k8s.io/v1"}: {"apiregistration.k8s.io/v1beta1": {"APIService"}},
	{"1.22", "scheduling.k8s.io/v1"}: {
		"scheduling.k8s.io/v1alpha1": {"PriorityClass"},
		"scheduling.k8s.io/v1beta1":  {"PriorityClass"},
	},
	{"1.22", "storage.k8s.io/v1"}: {
		"storage.k8s.io/v1beta1": {"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"},
	},
	{"1.22", "coordination.k8s.io/v1"}: {"coordination.k8s.io/v1beta1": {"Lease"}},
	{"1.22", "certificates.k8s.io/v1"}: {"certificates.k8s.io/v1beta1": {"CertificateSigningRequest"}},
	{"1.25", "batch/v1"}:               {"batch/v1beta1": {"CronJob"}},
	{"1.25", "policy/v1"}:              {"policy/v1beta1": {"PodDisruptionBudget"}},
	{"1.25", ""}:                       {"policy/v1beta1": {"PodSecurityPolicy"}},
	{"1.25", "autoscaling/v2"}:         {"autoscaling/v2beta1": {"HorizontalPodAutoscaler"}},
	{"1.25", "discovery.k8s.io/v1"}:    {"discovery.k8s.io/v1beta1": {"EndpointSlice"}},
	{"1.25", "events.k8s.io/v1"}:       {"events.k8s.io/v1beta1": {"Event"}},
	{"1.25", "node.k8s.io/v1"}:         {"node.k8s.io/v1beta1": {"RuntimeClass"}},
	{"1.26", "autoscaling/v2"}:         {"autoscaling/v2beta2": {"HorizontalPodAutoscaler"}},
	{"1.26", "flowcontrol.apiserver.k8s.io/v1"}: {
		"flowcontrol.apiserver.k8s.io/v1beta1": {"FlowSchema", "PriorityLevelConfiguration"},
	},
	{"1.27", "storage.k8s.io/v1"}: {"storage.k8s.io/v1beta1": {"CSIStorageCapacity"}},
	{"1.29", "flowcontrol.apiserver.k8s.io/v1"}: {
		"flowcontrol.apiserver.k8s.io/v1beta2": {"FlowSchema", "PriorityLevelConfiguration"},
	},
	{"1.32", "flowcontrol.apiserver.k8s.io/v1"}: {
		"flowcontrol.apiserver.k8s.io/v1beta3": {"FlowSchema", "PriorityLevelConfiguration"},
	},
})

func newRemovedKinds(table map[removal]map[string][]string) map[removedKind]removal {
	byKind := map[removedKind]removal{}
	for removal, versions := range table {
		for version, kinds := range versions {
			for _, kind := range kinds {
				byKind[removedKind{version, kind}] = removal
			}
		}
	}
	return byKind
}
