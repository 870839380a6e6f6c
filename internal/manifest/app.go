package manifest

import (
	"math"
	"strings"

	"github.com/appmarket/operator/hydrate"
)

// Bounds on the texts and lists of a manifest, in bytes and entries.
const (
	maxName     = 253
	maxLine     = 200
	maxSummary  = 2_000
	maxArticle  = 64 << 10
	maxURL      = 2_048
	maxQuantity = 64
	maxRange    = 256

	maxEntrances  = 64
	maxInputs     = 256
	maxOptions    = 256
	maxSubCharts  = 16
	maxWorkloads  = 128
	maxNeeds      = 64
	maxMiddleware = 32
	maxShort      = 32
	maxLong       = 200
)

func readTop(m *hydrate.Manifest, top *fields) {
	m.Format = top.exact(versionKey, maxLine)
	if m.Format == "" {
		top.notes.warn("%s is missing", versionKey)
	}
	m.Type = orElse(top.choice("olaresManifest.type", "app", "middleware"), "app")
	m.APIVersion = orElse(top.choice("apiVersion", "v1", "v2", "v3"), "v1")
	readMetadata(m, top.mapping("metadata", essential))
	m.Entrances = readEntrances(top)
	m.Inputs = readInputs(top)
	readSpec(m, top.mapping("spec", essential))
	readOptions(m, top.mapping("options", optional))
	m.Permissions = readPermissions(top.mapping("permission", optional))
	m.Middlewares = readMiddlewares(top.mapping("middleware", optional))
	m.WorkloadReplicas = readReplicas(top.mapping("workloadReplicas", optional))
	top.skip("sharedEntrances", "ports", "provider", "tailscale", "overlayGateway")
	top.done()
}

func readMetadata(m *hydrate.Manifest, f *fields) {
	m.Name = required(f, "name")
	m.Version = required(f, "version")
	m.Title = f.prose("title", maxLine)
	m.Description = f.prose("description", maxSummary)
	m.Icon = f.exact("icon", maxURL)
	m.Categories = f.texts("categories", maxShort, maxLine)
	f.skip("appid", "tags", "rating", "target", "type")
	f.done()
}

// required is a text without which there is no app.
func required(f *fields, key string) string {
	at := f.take(key)
	switch kindOf(at.node) {
	case kindMap, kindList:
		f.notes.mistyped(at, "text", essential)
		return ""
	}
	text := f.notes.scalar(at)
	switch {
	case text == "":
		f.notes.fail("%s is missing", at.path)
	case len(text) > maxName:
		f.notes.fail("%s is longer than %d bytes", at.path, maxName)
	}
	return text
}

func readSpec(m *hydrate.Manifest, f *fields) {
	m.VersionName = f.prose("versionName", maxLine)
	m.Developer = f.prose("developer", maxLine)
	m.Website = f.exact("website", maxURL)
	m.SourceCode = f.exact("sourceCode", maxURL)
	m.FullDescription = f.prose("fullDescription", maxArticle)
	m.UpgradeDescription = f.prose("upgradeDescription", maxArticle)
	m.PromoteImages = f.texts("promoteImage", maxShort, maxURL)
	m.Locales = f.texts("locale", maxLong, maxLine)
	m.Licenses = readLicenses(f)
	for _, arch := range f.texts("supportArch", maxShort, maxLine) {
		m.Architectures = append(m.Architectures, strings.ToLower(arch))
	}
	m.OnlyAdmin = f.flag("onlyAdmin")
	m.SubCharts = readSubCharts(f)
	m.Resources = readResources(f)
	f.skip("submitter", "doc", "featuredImage", "runAsUser", "runAsInternal", "namespace", "language",
		"legal", "releaseNotes", "supportClient", "promoteVideo", "subCategory")
	f.done()
}

func readLicenses(f *fields) []string {
	var names []string
	for _, each := range f.list("license", maxShort, optional) {
		if kindOf(each.node) == kindText {
			names = append(names, f.notes.prose(each, maxLine))
			continue
		}
		if license := f.notes.open(each, optional); license != nil {
			if name := license.prose("text", maxLine); name != "" {
				names = append(names, name)
			}
			license.skip("url")
			license.done()
		}
	}
	return names
}

func readSubCharts(f *fields) []hydrate.SubChart {
	var charts []hydrate.SubChart
	for _, each := range f.list("subCharts", maxSubCharts, essential) {
		if chart := f.notes.open(each, essential); chart != nil {
			charts = append(charts, hydrate.SubChart{Name: required(chart, "name"), Shared: chart.flag("shared")})
			chart.done()
		}
	}
	return charts
}

func readOptions(m *hydrate.Manifest, f *fields) {
	m.Needs = readDependencies(f, "dependencies")
	m.Conflicts = readDependencies(f, "conflicts")
	m.Images = f.texts("images", maxLong, maxURL)
	m.Cloneable = f.flag("allowMultipleInstall")
	scope := f.mapping("appScope", optional)
	m.ClusterScoped = scope.flag("clusterScoped")
	scope.skip("appRef", "systemService")
	scope.done()
	// A shared app of the third API version is what a cluster-scoped one was
	// before: installed once, for all.
	if f.flag("shared") {
		m.ClusterScoped = true
	}
	f.skip("policies", "apiTimeout", "analytics", "oidc", "resetCookie", "websocket", "upload", "syncProvider",
		"allowedOutboundPorts", "mobileSupported", "templateOnly", "LLMGatewaySupported")
	f.done()
}

func readDependencies(f *fields, key string) []hydrate.Dependency {
	var all []hydrate.Dependency
	for _, each := range f.list(key, maxNeeds, optional) {
		d := f.notes.open(each, optional)
		if d == nil {
			continue
		}
		one := hydrate.Dependency{
			Name:      d.exact("name", maxName),
			Type:      d.choice("type", "application", "middleware", "system"),
			Version:   d.exact("version", maxRange),
			Mandatory: d.flag("mandatory"),
		}
		d.skip("selfRely")
		d.done()
		if one.Name == "" {
			f.notes.warn("%s has no name and was left out", each.path)
			continue
		}
		all = append(all, one)
	}
	return all
}

func readReplicas(f *fields) map[string]int32 {
	replicas := map[string]int32{}
	for _, name := range f.keys {
		if len(replicas) == maxWorkloads {
			f.notes.warn("%s has more than %d entries; the rest was left out", f.path, maxWorkloads)
			break
		}
		if value, ok := f.notes.number(f.take(name), math.MaxInt32); ok && len(name) <= maxName {
			replicas[name] = value
		}
	}
	return replicas
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
