package objects

import (
	"maps"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Limits of the counted Pods and claims of an app.
const (
	maxReplicas      = 10_000
	maxCountedClaims = 1_000
	maxResources     = 20
)

// Footprint describes what an app requests when it runs, as quantities. A field is empty if nothing is
// requested. The Pods of CronJobs and hooks are not counted, and a DaemonSet is counted as one Pod.
type Footprint struct{ CPU, Memory, Storage string }

// containerFields are the fields of a Pod with containers that Kubernetes starts itself.
var containerFields = []string{"initContainers", "containers"}

// requests is the sum of the requests of an app, and the largest requests of one Pod.
type requests struct {
	total, largest map[string]resource.Quantity
	storage        resource.Quantity
	claims         int
}

// PodSpec returns the spec of the Pods of a workload, and nil for other objects.
func (o Map) PodSpec() Map {
	if !o.IsWorkload() {
		return nil
	}
	spec := o.MapAt("spec")
	switch o.Kind() {
	case "Pod":
		return spec
	case "PodTemplate":
		return o.MapAt("template").MapAt("spec")
	case "CronJob":
		spec = spec.MapAt("jobTemplate").MapAt("spec")
	}
	return spec.MapAt("template").MapAt("spec")
}

// podCount returns the number of Pods that a workload runs at the same time.
func (o Map) podCount() int64 {
	spec, field := o.MapAt("spec"), "replicas"
	switch o.Kind() {
	case "CronJob", "PodTemplate":
		return 0
	case "Pod", "DaemonSet":
		return 1
	case "Job":
		field = "parallelism"
	}
	if count, isSet := spec[field].(int); isSet {
		return int64(min(max(count, 0), maxReplicas))
	}
	return 1
}

// addFootprint adds what an object requests.
func (d *describer) addFootprint(o Map) {
	r := &d.requests
	for _, claim := range o.claims(maxCountedClaims - r.claims) {
		r.claims++
		if amount, err := resource.ParseQuantity(claim.Storage); err == nil {
			r.storage.Add(amount)
		}
	}
	pod := o.PodSpec()
	if pod == nil {
		return
	}
	if r.total == nil {
		r.total, r.largest = map[string]resource.Quantity{}, map[string]resource.Quantity{}
	}
	count := o.podCount()
	for name, amount := range pod.podRequests() {
		if largest, known := r.largest[name]; !known && len(r.largest) < maxResources || known && amount.Cmp(largest) > 0 {
			r.largest[name] = amount
		}
		if count > 0 && (name == "cpu" || name == "memory") {
			all := amount.DeepCopy()
			all.Mul(count)
			sum := r.total[name]
			sum.Add(all)
			r.total[name] = sum
		}
	}
}

// podRequests returns the requests of a Pod: the sum of its containers and sidecars, or the requests of an
// init container that are larger.
func (o Map) podRequests() map[string]resource.Quantity {
	sum, first := map[string]resource.Quantity{}, map[string]resource.Quantity{}
	for _, list := range containerFields {
		for _, container := range o.MapsAt(list) {
			isFirst := list == "initContainers" && container.TextAt("restartPolicy") != "Always"
			for name, amount := range container.containerRequests() {
				if !isFirst {
					amount.Add(sum[name])
					sum[name] = amount
				} else if other := first[name]; amount.Cmp(other) > 0 {
					first[name] = amount
				}
			}
		}
	}
	for name, amount := range first {
		if other := sum[name]; amount.Cmp(other) > 0 {
			sum[name] = amount
		}
	}
	return sum
}

// containerRequests returns the requests of a container. A missing request is the limit.
func (o Map) containerRequests() map[string]resource.Quantity {
	found := map[string]resource.Quantity{}
	for _, field := range []string{"limits", "requests"} {
		list := o.MapAt("resources").MapAt(field)
		for _, name := range sortedKeys(list) {
			amount, ok := quantityOf(list[name])
			if ok && len(name) <= maxNameBytes && len(found) < maxResources {
				found[name] = amount
			}
		}
	}
	return found
}

// quantityOf returns a quantity that is written as text or as a number, and reports whether it is positive.
func quantityOf(value any) (resource.Quantity, bool) {
	var written string
	switch value := value.(type) {
	case string:
		written = value
	case int:
		written = strconv.Itoa(value)
	case float64:
		written = strconv.FormatFloat(value, 'f', -1, 64)
	}
	if written == "" || len(written) > maxQuantityLength {
		return resource.Quantity{}, false
	}
	amount, err := resource.ParseQuantity(written)
	return amount, err == nil && amount.Sign() > 0
}

// footprint returns the sums.
func (r *requests) footprint() Footprint {
	return Footprint{CPU: quantityText(r.total["cpu"]), Memory: quantityText(r.total["memory"]), Storage: quantityText(r.storage)}
}

// largestPod returns the largest requests of one Pod.
func (r *requests) largestPod() []ResourceRequest {
	var list []ResourceRequest
	for _, name := range slices.Sorted(maps.Keys(r.largest)) {
		amount := r.largest[name]
		list = append(list, ResourceRequest{Name: name, Amount: quantityText(amount)})
	}
	return list
}

// quantityText returns the canonical form of a quantity, empty for zero and for one that is too long.
func quantityText(amount resource.Quantity) string {
	if written := amount.String(); !amount.IsZero() && len(written) <= maxQuantityLength {
		return written
	}
	return ""
}
