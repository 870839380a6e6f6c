package olares

import (
	"strings"

	"github.com/appmarket/operator/hydrate"
)

// readResources reads the resources of an app. If the app has resources for each accelerator,
// it returns the resources without a GPU, or the resources of the first accelerator.
func readResources(d *decoder) hydrate.Resources {
	r := readResourceValues(d)
	var chosen *hydrate.Resources
	for _, each := range d.listItems("accelerator", maxShortList, optional) {
		a := d.warnings.openMapping(each, optional)
		if a == nil {
			continue
		}
		mode, values := strings.ToLower(a.boundedText("mode", maxLine)), readResourceValues(a)
		a.ignoreKeys("supportMultiCard", "supportMultiNodes")
		a.warnUnknownKeys()
		if chosen == nil || mode == "cpu" {
			chosen = &values
		}
	}
	if chosen != nil && r == (hydrate.Resources{}) {
		return *chosen
	}
	return r
}

func readResourceValues(d *decoder) hydrate.Resources {
	quantity := func(key string) string { return d.boundedText(key, maxQuantity) }
	return hydrate.Resources{
		RequiredCPU:    quantity("requiredCpu"),
		RequiredMemory: quantity("requiredMemory"),
		RequiredDisk:   quantity("requiredDisk"),
		RequiredGPU:    firstNonEmpty(quantity("requiredGpu"), quantity("requiredGPUMemory")),
		LimitedCPU:     quantity("limitedCpu"),
		LimitedMemory:  quantity("limitedMemory"),
		LimitedDisk:    quantity("limitedDisk"),
		LimitedGPU:     firstNonEmpty(quantity("limitedGpu"), quantity("limitedGPUMemory")),
	}
}
