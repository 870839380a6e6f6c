package olares

import (
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/appmarket/operator/hydrate"
)

// Maximum sizes of the texts of a manifest in bytes, and of its lists in items.
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

// readTop reads the fields of the whole manifest.
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

func readMetadata(m *hydrate.Manifest, d *decoder) {
	m.Name = requiredText(d, "name")
	m.Version = requiredText(d, "version")
	m.Title = d.truncatedText("title", maxLine)
	m.Description = d.truncatedText("description", maxSummary)
	m.Icon = d.boundedText("icon", maxURL)
	m.Categories = withoutVersions(d.textList("categories", maxShortList, maxLine))
	d.ignoreKeys("appid", "tags", "rating", "target", "type")
	d.warnUnknownKeys()
}

// categoryVersion is the version of Olares from which on a category is shown.
var categoryVersion = regexp.MustCompile(`_v\d+$`)

// withoutVersions returns categories without versions, each once.
func withoutVersions(categories []string) []string {
	var plain []string
	for _, category := range categories {
		category = categoryVersion.ReplaceAllString(strings.TrimSpace(category), "")
		if category != "" && !slices.Contains(plain, category) {
			plain = append(plain, category)
		}
	}
	return plain
}

// requiredText returns a string without which the manifest is invalid.
func requiredText(d *decoder, key string) string {
	at := d.takeField(key)
	switch kindOf(at.node) {
	case kindMap, kindList:
		d.warnings.addTypeProblem(at, "a string", essential)
		return ""
	}
	text := d.warnings.readScalar(at)
	switch {
	case text == "":
		d.warnings.setError("%s: Required value", at.path)
	case len(text) > maxName:
		d.warnings.setError("%s is longer than %d bytes", at.path, maxName)
	}
	return text
}

func readSpec(m *hydrate.Manifest, d *decoder) {
	m.VersionName = d.truncatedText("versionName", maxLine)
	m.Developer = d.truncatedText("developer", maxLine)
	m.Website = d.boundedText("website", maxURL)
	m.SourceCode = d.boundedText("sourceCode", maxURL)
	m.FullDescription = d.truncatedText("fullDescription", maxArticle)
	m.UpgradeDescription = d.truncatedText("upgradeDescription", maxArticle)
	m.PromoteImages = d.textList("promoteImage", maxShortList, maxURL)
	m.Locales = d.textList("locale", maxLongList, maxLine)
	m.Licenses = readLicenses(d)
	for _, arch := range d.textList("supportArch", maxShortList, maxLine) {
		m.Architectures = append(m.Architectures, strings.ToLower(arch))
	}
	m.OnlyAdmin = d.boolField("onlyAdmin")
	m.SubCharts = readSubCharts(d)
	m.Resources = readResources(d)
	d.ignoreKeys("submitter", "doc", "featuredImage", "runAsUser", "runAsInternal", "namespace", "language",
		"legal", "releaseNotes", "supportClient", "promoteVideo", "subCategory")
	d.warnUnknownKeys()
}

func readLicenses(d *decoder) []string {
	var names []string
	for _, each := range d.listItems("license", maxShortList, optional) {
		if kindOf(each.node) == kindText {
			names = append(names, d.warnings.readTruncated(each, maxLine))
			continue
		}
		if license := d.warnings.openMapping(each, optional); license != nil {
			if name := license.truncatedText("text", maxLine); name != "" {
				names = append(names, name)
			}
			license.ignoreKeys("url")
			license.warnUnknownKeys()
		}
	}
	return names
}

func readSubCharts(d *decoder) []hydrate.SubChart {
	var charts []hydrate.SubChart
	for _, each := range d.listItems("subCharts", maxSubCharts, essential) {
		if chart := d.warnings.openMapping(each, essential); chart != nil {
			charts = append(charts, hydrate.SubChart{Name: requiredText(chart, "name"), Shared: chart.boolField("shared")})
			chart.warnUnknownKeys()
		}
	}
	return charts
}

func readOptions(m *hydrate.Manifest, d *decoder) {
	m.Needs = readDependencies(d, "dependencies")
	m.Conflicts = readDependencies(d, "conflicts")
	m.Images = d.textList("images", maxLongList, maxURL)
	m.Cloneable = d.boolField("allowMultipleInstall")
	scope := d.mappingField("appScope", optional)
	m.ClusterScoped = scope.boolField("clusterScoped")
	scope.ignoreKeys("appRef", "systemService")
	scope.warnUnknownKeys()
	// A shared app of API version v3 replaces a cluster-scoped app of earlier versions: it
	// is installed once for all users.
	if d.boolField("shared") {
		m.ClusterScoped = true
	}
	d.ignoreKeys("policies", "apiTimeout", "analytics", "oidc", "resetCookie", "websocket", "upload", "syncProvider",
		"allowedOutboundPorts", "mobileSupported", "templateOnly", "LLMGatewaySupported")
	d.warnUnknownKeys()
}

func readDependencies(d *decoder, key string) []hydrate.Dependency {
	var all []hydrate.Dependency
	for _, each := range d.listItems(key, maxDependencies, optional) {
		entry := d.warnings.openMapping(each, optional)
		if entry == nil {
			continue
		}
		one := hydrate.Dependency{
			Name:      entry.boundedText("name", maxName),
			Type:      entry.choiceField("type", "application", "middleware", "system"),
			Version:   entry.boundedText("version", maxRange),
			Mandatory: entry.boolField("mandatory"),
		}
		entry.ignoreKeys("selfRely")
		entry.warnUnknownKeys()
		if one.Name == "" {
			d.warnings.addWarning("%s is ignored: name is missing", each.path)
			continue
		}
		all = append(all, one)
	}
	return all
}

func readReplicas(d *decoder) map[string]int32 {
	replicas := map[string]int32{}
	for _, name := range d.keys {
		if len(replicas) == maxWorkloads {
			d.warnings.addWarning("%s has more than %d entries: the rest is ignored", d.path, maxWorkloads)
			break
		}
		if value, ok := d.warnings.readInteger(d.takeField(name), math.MaxInt32); ok && len(name) <= maxName {
			replicas[name] = value
		}
	}
	return replicas
}

// firstNonEmpty returns text, or otherwise if text is empty.
func firstNonEmpty(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
