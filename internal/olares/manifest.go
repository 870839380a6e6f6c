package olares

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

	maxEntrances    = 64
	maxInputs       = 256
	maxOptions      = 256
	maxSubCharts    = 16
	maxWorkloads    = 128
	maxDependencies = 64
	maxMiddleware   = 32
	maxShortList    = 32
	maxLongList     = 200
)

func readTop(m *hydrate.Manifest, top *decoder) {
	m.Format = top.boundedText(versionKey, maxLine)
	if m.Format == "" {
		top.warnings.addWarning("%s is missing", versionKey)
	}
	m.Type = firstNonEmpty(top.choiceField("olaresManifest.type", "app", "middleware"), "app")
	m.APIVersion = firstNonEmpty(top.choiceField("apiVersion", "v1", "v2", "v3"), "v1")
	readMetadata(m, top.mappingField("metadata", essential))
	m.Entrances = readEntrances(top)
	m.Inputs = readInputs(top)
	readSpec(m, top.mappingField("spec", essential))
	readOptions(m, top.mappingField("options", optional))
	m.Permissions = readPermissions(top.mappingField("permission", optional))
	m.Middlewares = readMiddlewares(top.mappingField("middleware", optional))
	m.WorkloadReplicas = readReplicas(top.mappingField("workloadReplicas", optional))
	top.ignoreKeys("sharedEntrances", "ports", "provider", "tailscale", "overlayGateway")
	top.warnUnknownKeys()
}

func readMetadata(m *hydrate.Manifest, f *decoder) {
	m.Name = requiredText(f, "name")
	m.Version = requiredText(f, "version")
	m.Title = f.truncatedText("title", maxLine)
	m.Description = f.truncatedText("description", maxSummary)
	m.Icon = f.boundedText("icon", maxURL)
	m.Categories = f.textList("categories", maxShortList, maxLine)
	f.ignoreKeys("appid", "tags", "rating", "target", "type")
	f.warnUnknownKeys()
}

// required is a text without which there is no app.
func requiredText(f *decoder, key string) string {
	at := f.takeField(key)
	switch kindOf(at.node) {
	case kindMap, kindList:
		f.warnings.addTypeProblem(at, "text", essential)
		return ""
	}
	text := f.warnings.readScalar(at)
	switch {
	case text == "":
		f.warnings.setError("%s is missing", at.path)
	case len(text) > maxName:
		f.warnings.setError("%s is longer than %d bytes", at.path, maxName)
	}
	return text
}

func readSpec(m *hydrate.Manifest, f *decoder) {
	m.VersionName = f.truncatedText("versionName", maxLine)
	m.Developer = f.truncatedText("developer", maxLine)
	m.Website = f.boundedText("website", maxURL)
	m.SourceCode = f.boundedText("sourceCode", maxURL)
	m.FullDescription = f.truncatedText("fullDescription", maxArticle)
	m.UpgradeDescription = f.truncatedText("upgradeDescription", maxArticle)
	m.PromoteImages = f.textList("promoteImage", maxShortList, maxURL)
	m.Locales = f.textList("locale", maxLongList, maxLine)
	m.Licenses = readLicenses(f)
	for _, arch := range f.textList("supportArch", maxShortList, maxLine) {
		m.Architectures = append(m.Architectures, strings.ToLower(arch))
	}
	m.OnlyAdmin = f.boolField("onlyAdmin")
	m.SubCharts = readSubCharts(f)
	m.Resources = readResources(f)
	f.ignoreKeys("submitter", "doc", "featuredImage", "runAsUser", "runAsInternal", "namespace", "language",
		"legal", "releaseNotes", "supportClient", "promoteVideo", "subCategory")
	f.warnUnknownKeys()
}

func readLicenses(f *decoder) []string {
	var names []string
	for _, each := range f.listItems("license", maxShortList, optional) {
		if kindOf(each.node) == kindText {
			names = append(names, f.warnings.readTruncated(each, maxLine))
			continue
		}
		if license := f.warnings.openMapping(each, optional); license != nil {
			if name := license.truncatedText("text", maxLine); name != "" {
				names = append(names, name)
			}
			license.ignoreKeys("url")
			license.warnUnknownKeys()
		}
	}
	return names
}

func readSubCharts(f *decoder) []hydrate.SubChart {
	var charts []hydrate.SubChart
	for _, each := range f.listItems("subCharts", maxSubCharts, essential) {
		if chart := f.warnings.openMapping(each, essential); chart != nil {
			charts = append(charts, hydrate.SubChart{Name: requiredText(chart, "name"), Shared: chart.boolField("shared")})
			chart.warnUnknownKeys()
		}
	}
	return charts
}

func readOptions(m *hydrate.Manifest, f *decoder) {
	m.Needs = readDependencies(f, "dependencies")
	m.Conflicts = readDependencies(f, "conflicts")
	m.Images = f.textList("images", maxLongList, maxURL)
	m.Cloneable = f.boolField("allowMultipleInstall")
	scope := f.mappingField("appScope", optional)
	m.ClusterScoped = scope.boolField("clusterScoped")
	scope.ignoreKeys("appRef", "systemService")
	scope.warnUnknownKeys()
	// A shared app of the third API version is what a cluster-scoped one was
	// before: installed once, for all.
	if f.boolField("shared") {
		m.ClusterScoped = true
	}
	f.ignoreKeys("policies", "apiTimeout", "analytics", "oidc", "resetCookie", "websocket", "upload", "syncProvider",
		"allowedOutboundPorts", "mobileSupported", "templateOnly", "LLMGatewaySupported")
	f.warnUnknownKeys()
}

func readDependencies(f *decoder, key string) []hydrate.Dependency {
	var all []hydrate.Dependency
	for _, each := range f.listItems(key, maxDependencies, optional) {
		d := f.warnings.openMapping(each, optional)
		if d == nil {
			continue
		}
		one := hydrate.Dependency{
			Name:      d.boundedText("name", maxName),
			Type:      d.choiceField("type", "application", "middleware", "system"),
			Version:   d.boundedText("version", maxRange),
			Mandatory: d.boolField("mandatory"),
		}
		d.ignoreKeys("selfRely")
		d.warnUnknownKeys()
		if one.Name == "" {
			f.warnings.addWarning("%s has no name and was left out", each.path)
			continue
		}
		all = append(all, one)
	}
	return all
}

func readReplicas(f *decoder) map[string]int32 {
	replicas := map[string]int32{}
	for _, name := range f.keys {
		if len(replicas) == maxWorkloads {
			f.warnings.addWarning("%s has more than %d entries; the rest was left out", f.path, maxWorkloads)
			break
		}
		if value, ok := f.warnings.readInteger(f.takeField(name), math.MaxInt32); ok && len(name) <= maxName {
			replicas[name] = value
		}
	}
	return replicas
}

func firstNonEmpty(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
