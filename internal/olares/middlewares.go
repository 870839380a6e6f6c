package olares

import "github.com/appmarket/operator/hydrate"

// readMiddlewares reads the blocks of all middlewares by name, including middlewares of later
// versions, because all blocks have the same fields. Passwords are not read.
func readMiddlewares(d *decoder) map[string]hydrate.Middleware {
	all := map[string]hydrate.Middleware{}
	for _, name := range d.keys {
		if len(all) == maxMiddleware {
			d.warnings.addWarning("%s has more than %d entries: the rest is ignored", d.path, maxMiddleware)
			break
		}
		at := d.takeField(name)
		if at.node != nil && kindOf(at.node) != kindMap {
			d.warnings.addTypeProblem(at, "a map", optional)
			continue
		}
		if len(name) <= maxName {
			all[name] = readMiddleware(d.mappingField(name, optional))
		}
	}
	return all
}

func readMiddleware(d *decoder) hydrate.Middleware {
	m := hydrate.Middleware{
		Username:  d.boundedText("username", maxName),
		Namespace: d.boundedText("namespace", maxName),
	}
	for _, key := range []string{"databases", "buckets", "vhosts", "indexes", "subjects"} {
		for _, each := range d.listItems(key, maxLongList, optional) {
			if name := readMiddlewareName(d.warnings, each); name != "" {
				m.Names = append(m.Names, name)
			}
		}
	}
	d.ignoreKeys("password", "refs", "required", "allowNamespaceBuckets", "allowNamespaceIndexes")
	d.warnUnknownKeys()
	return m
}

// readMiddlewareName reads an entry that is a name or a map with a name.
func readMiddlewareName(w *warnings, each pathNode) string {
	if kindOf(each.node) == kindText {
		return w.readBounded(each, maxName)
	}
	d := w.openMapping(each, optional)
	if d == nil {
		return ""
	}
	name := d.boundedText("name", maxName)
	d.ignoreKeys("distributed", "extensions", "scripts", "permission", "export", "appName")
	d.warnUnknownKeys()
	return name
}
