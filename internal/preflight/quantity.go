package preflight

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// formatQuantity formats an amount of a resource, such as "2 CPU", "1.5Gi memory" or "1
// nvidia.com/gpu".
func formatQuantity(name corev1.ResourceName, amount resource.Quantity) string {
	words := map[corev1.ResourceName]string{
		corev1.ResourceCPU: "CPU", corev1.ResourceMemory: "memory", corev1.ResourcePods: "pod slots",
		corev1.ResourceEphemeralStorage: "ephemeral storage",
	}
	word, ok := words[name]
	if !ok {
		word = string(name)
	}
	return formatAmount(name, amount) + " " + word
}

// formatAmount formats an amount. It rounds bytes to Mi or Gi, so that the message changes less
// often than the amount.
func formatAmount(name corev1.ResourceName, amount resource.Quantity) string {
	if !isByteResource(name) {
		return amount.String()
	}
	const mebi, gibi = 1 << 20, 1 << 30
	bytes := amount.AsApproximateFloat64()
	switch {
	case bytes >= gibi || bytes <= -gibi:
		return strings.TrimSuffix(strconv.FormatFloat(bytes/gibi, 'f', 1, 64), ".0") + "Gi"
	case bytes >= mebi || bytes <= -mebi:
		return strconv.FormatFloat(bytes/mebi, 'f', 0, 64) + "Mi"
	}
	return amount.String()
}

func isByteResource(name corev1.ResourceName) bool {
	text := string(name)
	return strings.HasSuffix(text, string(corev1.ResourceMemory)) || strings.HasSuffix(text, "storage") ||
		strings.HasPrefix(text, corev1.ResourceHugePagesPrefix)
}
