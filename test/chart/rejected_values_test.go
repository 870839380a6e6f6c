package chart_test

import (
	"testing"

	. "github.com/onsi/gomega"
)

// TestRejectedValues checks that values are rejected that would fail only in the cluster, or
// silently.
func TestRejectedValues(t *testing.T) {
	for name, c := range map[string]struct {
		values []string
		want   string
	}{
		"a size that is no quantity":         {[]string{"store.size=abc"}, `store.*size.*pattern`},
		"a size with an unknown unit":        {[]string{"store.size=10GB"}, `store.*size.*pattern`},
		"a size of nothing":                  {[]string{"store.size=0"}, `store.*size`},
		"an unknown access mode":             {[]string{"store.accessModes=[ReadOnlyMany]"}, `accessModes`},
		"a claim for a temporary store":      {[]string{"store.persistent=false", "store.existingClaim=mine"}, `store.existingClaim needs store.persistent`},
		"a bucket without an endpoint":       {[]string{"store.bucket.name=charts"}, `store.bucket.endpoint: required`},
		"a bucket with keys in the endpoint": {[]string{"store.bucket={name: charts, endpoint: 'https://a:b@s3.example.com'}"}, `endpoint.*pattern`},
		"replicas on a volume":               {[]string{"replicas=2"}, `more than 1 requires store.bucket`},
		"replicas with a claim of one node":  {[]string{"replicas=2", "store.bucket={name: charts, endpoint: 'https://s3.example.com'}"}, `requires store.persistent false`},
		"a memory limit that is no quantity": {[]string{"resources.limits.memory=much"}, `memory.*pattern`},
		"a memory limit without room":        {[]string{"resources.limits.memory=64Mi"}, `resources.limits.memory is 64Mi, and rendering a chart needs 768Mi`},
		"a memory limit just too small":      {[]string{"resources.limits.memory=767Mi"}, `needs 768Mi`},
		"a memory limit in other units":      {[]string{"resources.limits.memory=0.7G"}, `needs 768Mi`},
		"a memory limit in bytes":            {[]string{"resources.limits.memory=700000000"}, `needs 768Mi`},
		"renderMemory beyond the limit":      {[]string{"renderMemory=2147483648"}, `resources.limits.memory is 1536Mi, and rendering a chart needs 2304Mi`},
		"a CPU limit that is no quantity":    {[]string{"resources.limits.cpu=two"}, `cpu.*pattern`},
		"no connection":                      {[]string{"repository.connections=0"}, `repository.*connections`},
		"an Ingress without a host":          {[]string{"ingress.enabled=true"}, `ingress.hosts: name at least one host`},
		"an HTTPRoute without a gateway":     {[]string{"httpRoute.enabled=true"}, `httpRoute.parentRefs: name at least one gateway`},
		"a node port of a ClusterIP":         {[]string{"repository.service.nodePort=30080"}, `nodePort needs repository.service.type NodePort or LoadBalancer`},
		"a ServiceMonitor without metrics":   {[]string{"metrics.serviceMonitor=true"}, `metrics.serviceMonitor needs metrics.enabled`},
		"authentication without metrics":     {[]string{"metrics.authentication=true"}, `metrics.authentication needs metrics.enabled`},
		"a market that is no namespace":      {[]string{"marketNamespaces=[Market]"}, `marketNamespaces.*pattern`},
		"a market twice":                     {[]string{"marketNamespaces=[market, market]"}, `marketNamespaces.*equal`},
		"a folder that is not absolute":      {[]string{"allowedDirectories=[market=charts]"}, `allowedDirectories.*pattern`},
		"a browser of no kind":               {[]string{"marketBrowsers=[{name: tenants}]"}, `marketBrowsers.*kind`},
		"addresses of an unknown type":       {[]string{"addresses.type=Service"}, `addresses.*type`},
		"addresses without a host":           {[]string{"addresses.type=Ingress"}, `addresses.hostTemplate: required`},
		"a host with a scheme":               {[]string{"addresses={type: Ingress, hostTemplate: 'https://{instance}.example.com'}"}, `hostTemplate.*pattern`},
		"routes without a gateway":           {[]string{"addresses={type: HTTPRoute, hostTemplate: '{instance}.example.com'}"}, `addresses.gateway.name: required`},
		"a gateway without a namespace":      {[]string{"addresses={type: HTTPRoute, hostTemplate: '{instance}.example.com', gateway: {name: public}}"}, `addresses.gateway.namespace: required`},
		"a value that does not exist":        {[]string{"store.emptyDir=true"}, `emptyDir`},
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(renderErrors(t, c.values...)).To(MatchRegexp(`(?s)` + c.want))
		})
	}
}

// TestAcceptedValues checks that values are accepted that are similar to rejected ones.
func TestAcceptedValues(t *testing.T) {
	for name, values := range map[string][]string{
		"a size in bytes":                {"store.size=10737418240"},
		"a size with a fraction":         {"store.size=0.5Ti"},
		"the smallest memory limit":      {"resources.limits.memory=768Mi"},
		"a memory limit of a whole unit": {"resources.limits.memory=1G"},
		"a memory limit in bytes":        {"resources.limits.memory=2147483648"},
		"no memory limit":                {"resources.limits.memory=null"},
		"no limits":                      {"resources.limits=null"},
		"processors as a number":         {"resources.limits.cpu=2"},
		"less memory for rendering":      {"renderMemory=134217728", "resources.limits.memory=400Mi"},
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(renderChart(t, values...)).NotTo(BeEmpty())
		})
	}
}
