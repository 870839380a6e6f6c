package olares

import (
	"math"
	"slices"
	"strings"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/text"
)

func readEntrances(top *decoder) []inputs.Entrance {
	var entrances []inputs.Entrance
	for _, each := range top.listItems("entrances", maxEntrances, essential) {
		f := top.warnings.openMapping(each, essential)
		if f == nil {
			continue
		}
		e := inputs.Entrance{
			Name:      f.boundedText("name", maxName),
			Title:     f.truncatedText("title", maxLine),
			Host:      f.boundedText("host", maxName),
			Port:      f.integerField("port", math.MaxUint16),
			Icon:      f.boundedText("icon", maxURL),
			AuthLevel: f.choiceField("authLevel", "internal", "private", "public"),
			Invisible: f.boolField("invisible"),
		}
		f.ignoreKeys("openMethod", "windowPushState")
		f.warnUnknownKeys()
		named := func(other inputs.Entrance) bool { return other.Name == e.Name }
		switch {
		case e.Name == "":
			top.warnings.addWarning("%s has no name and was left out", each.path)
		case slices.ContainsFunc(entrances, named):
			top.warnings.addWarning("%s has the name of another and was left out", each.path)
		default:
			entrances = append(entrances, e)
		}
	}
	return entrances
}

// readPermissions says in one line each what the app asks for.
func readPermissions(f *decoder) []string {
	var asked []string
	for _, key := range []string{"appData", "appCache", "appCommon", "externalData"} {
		if f.boolField(key) {
			asked = append(asked, key)
		}
	}
	for _, path := range f.textList("userData", maxLongList, maxLine) {
		asked = append(asked, "userData: "+path)
	}
	for _, each := range f.listItems("sysData", maxLongList, optional) {
		if s := f.warnings.openMapping(each, optional); s != nil {
			ops := strings.Join(s.textList("ops", maxShortList, maxLine), ", ")
			asked = append(asked, text.Truncate("sysData: "+joinNonEmpty(s.boundedText("group", maxLine), s.boundedText("dataType", maxLine))+" ("+ops+")", maxSummary))
			s.ignoreKeys("version", "appName", "port", "svc", "namespace")
			s.warnUnknownKeys()
		}
	}
	for _, each := range f.listItems("provider", maxLongList, optional) {
		if p := f.warnings.openMapping(each, optional); p != nil {
			asked = append(asked, "provider: "+joinNonEmpty(p.boundedText("appName", maxLine), p.boundedText("providerName", maxLine)))
			p.ignoreKeys("namespace", "podSelectors")
			p.warnUnknownKeys()
		}
	}
	if account := f.boundedText("serviceAccount", maxName); account != "" {
		asked = append(asked, "serviceAccount: "+account)
	}
	f.warnUnknownKeys()
	return asked
}

func joinNonEmpty(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "/")
}

// readMiddlewares reads any block by its name, also of a middleware that came
// later: they all look alike. Passwords are not kept.
func readMiddlewares(f *decoder) map[string]hydrate.Middleware {
	all := map[string]hydrate.Middleware{}
	for _, name := range f.keys {
		if len(all) == maxMiddleware {
			f.warnings.addWarning("%s has more than %d entries; the rest was left out", f.path, maxMiddleware)
			break
		}
		at := f.takeField(name)
		if at.node != nil && kindOf(at.node) != kindMap {
			f.warnings.addTypeProblem(at, "a map", optional)
			continue
		}
		if len(name) <= maxName {
			all[name] = readMiddleware(f.mappingField(name, optional))
		}
	}
	return all
}

func readMiddleware(f *decoder) hydrate.Middleware {
	m := hydrate.Middleware{
		Username:  f.boundedText("username", maxName),
		Namespace: f.boundedText("namespace", maxName),
	}
	for _, key := range []string{"databases", "buckets", "vhosts", "indexes", "subjects"} {
		for _, each := range f.listItems(key, maxLongList, optional) {
			if name := readMiddlewareName(f.warnings, each); name != "" {
				m.Names = append(m.Names, name)
			}
		}
	}
	f.ignoreKeys("password", "refs", "required", "allowNamespaceBuckets", "allowNamespaceIndexes")
	f.warnUnknownKeys()
	return m
}

// readMiddlewareName reads an entry that is a name, or a map with a name.
func readMiddlewareName(n *warnings, each pathNode) string {
	if kindOf(each.node) == kindText {
		return n.readBounded(each, maxName)
	}
	f := n.openMapping(each, optional)
	if f == nil {
		return ""
	}
	name := f.boundedText("name", maxName)
	f.ignoreKeys("distributed", "extensions", "scripts", "permission", "export", "appName")
	f.warnUnknownKeys()
	return name
}

// readResources reads the plain figures, or those of one of the accelerators
// where an app has a set for each: that without a GPU, or otherwise the first.
func readResources(f *decoder) hydrate.Resources {
	r := readResourceValues(f)
	var chosen *hydrate.Resources
	for _, each := range f.listItems("accelerator", maxShortList, optional) {
		a := f.warnings.openMapping(each, optional)
		if a == nil {
			continue
		}
		mode, figures := strings.ToLower(a.boundedText("mode", maxLine)), readResourceValues(a)
		a.ignoreKeys("supportMultiCard", "supportMultiNodes")
		a.warnUnknownKeys()
		if chosen == nil || mode == "cpu" {
			chosen = &figures
		}
	}
	if chosen != nil && r == (hydrate.Resources{}) {
		return *chosen
	}
	return r
}

func readResourceValues(f *decoder) hydrate.Resources {
	quantity := func(key string) string { return f.boundedText(key, maxQuantity) }
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
