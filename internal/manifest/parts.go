package manifest

import (
	"math"
	"slices"
	"strings"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/text"
)

func readEntrances(top *fields) []hydrate.Entrance {
	var entrances []hydrate.Entrance
	for _, each := range top.list("entrances", maxEntrances, essential) {
		f := top.notes.open(each, essential)
		if f == nil {
			continue
		}
		e := hydrate.Entrance{
			Name:      f.exact("name", maxName),
			Title:     f.prose("title", maxLine),
			Host:      f.exact("host", maxName),
			Port:      f.number("port", math.MaxUint16),
			Icon:      f.exact("icon", maxURL),
			AuthLevel: f.choice("authLevel", "internal", "private", "public"),
			Invisible: f.flag("invisible"),
		}
		f.skip("openMethod", "windowPushState")
		f.done()
		named := func(other hydrate.Entrance) bool { return other.Name == e.Name }
		switch {
		case e.Name == "":
			top.notes.warn("%s has no name and was left out", each.path)
		case slices.ContainsFunc(entrances, named):
			top.notes.warn("%s has the name of another and was left out", each.path)
		default:
			entrances = append(entrances, e)
		}
	}
	return entrances
}

// readPermissions says in one line each what the app asks for.
func readPermissions(f *fields) []string {
	var asked []string
	for _, key := range []string{"appData", "appCache", "appCommon", "externalData"} {
		if f.flag(key) {
			asked = append(asked, key)
		}
	}
	for _, path := range f.texts("userData", maxLong, maxLine) {
		asked = append(asked, "userData: "+path)
	}
	for _, each := range f.list("sysData", maxLong, optional) {
		if s := f.notes.open(each, optional); s != nil {
			ops := strings.Join(s.texts("ops", maxShort, maxLine), ", ")
			asked = append(asked, text.Truncate("sysData: "+slash(s.exact("group", maxLine), s.exact("dataType", maxLine))+" ("+ops+")", maxSummary))
			s.skip("version", "appName", "port", "svc", "namespace")
			s.done()
		}
	}
	for _, each := range f.list("provider", maxLong, optional) {
		if p := f.notes.open(each, optional); p != nil {
			asked = append(asked, "provider: "+slash(p.exact("appName", maxLine), p.exact("providerName", maxLine)))
			p.skip("namespace", "podSelectors")
			p.done()
		}
	}
	if account := f.exact("serviceAccount", maxName); account != "" {
		asked = append(asked, "serviceAccount: "+account)
	}
	f.done()
	return asked
}

func slash(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "/")
}

// readMiddlewares reads any block by its name, also of a middleware that came
// later: they all look alike. Passwords are not kept.
func readMiddlewares(f *fields) map[string]hydrate.Middleware {
	all := map[string]hydrate.Middleware{}
	for _, name := range f.keys {
		if len(all) == maxMiddleware {
			f.notes.warn("%s has more than %d entries; the rest was left out", f.path, maxMiddleware)
			break
		}
		at := f.take(name)
		if at.node != nil && kindOf(at.node) != kindMap {
			f.notes.mistyped(at, "a map", optional)
			continue
		}
		if len(name) <= maxName {
			all[name] = readMiddleware(f.mapping(name, optional))
		}
	}
	return all
}

func readMiddleware(f *fields) hydrate.Middleware {
	m := hydrate.Middleware{
		Username:  f.exact("username", maxName),
		Namespace: f.exact("namespace", maxName),
	}
	for _, key := range []string{"databases", "buckets", "vhosts", "indexes", "subjects"} {
		for _, each := range f.list(key, maxLong, optional) {
			if name := readMiddlewareName(f.notes, each); name != "" {
				m.Names = append(m.Names, name)
			}
		}
	}
	f.skip("password", "refs", "required", "allowNamespaceBuckets", "allowNamespaceIndexes")
	f.done()
	return m
}

// readMiddlewareName reads an entry that is a name, or a map with a name.
func readMiddlewareName(n *notes, each item) string {
	if kindOf(each.node) == kindText {
		return n.exact(each, maxName)
	}
	f := n.open(each, optional)
	if f == nil {
		return ""
	}
	name := f.exact("name", maxName)
	f.skip("distributed", "extensions", "scripts", "permission", "export", "appName")
	f.done()
	return name
}

// readResources reads the plain figures, or those of one of the accelerators
// where an app has a set for each: that without a GPU, or otherwise the first.
func readResources(f *fields) hydrate.Resources {
	r := readFigures(f)
	var chosen *hydrate.Resources
	for _, each := range f.list("accelerator", maxShort, optional) {
		a := f.notes.open(each, optional)
		if a == nil {
			continue
		}
		mode, figures := strings.ToLower(a.exact("mode", maxLine)), readFigures(a)
		a.skip("supportMultiCard", "supportMultiNodes")
		a.done()
		if chosen == nil || mode == "cpu" {
			chosen = &figures
		}
	}
	if chosen != nil && r == (hydrate.Resources{}) {
		return *chosen
	}
	return r
}

func readFigures(f *fields) hydrate.Resources {
	quantity := func(key string) string { return f.exact(key, maxQuantity) }
	return hydrate.Resources{
		RequiredCPU:    quantity("requiredCpu"),
		RequiredMemory: quantity("requiredMemory"),
		RequiredDisk:   quantity("requiredDisk"),
		RequiredGPU:    orElse(quantity("requiredGpu"), quantity("requiredGPUMemory")),
		LimitedCPU:     quantity("limitedCpu"),
		LimitedMemory:  quantity("limitedMemory"),
		LimitedDisk:    quantity("limitedDisk"),
		LimitedGPU:     orElse(quantity("limitedGpu"), quantity("limitedGPUMemory")),
	}
}
