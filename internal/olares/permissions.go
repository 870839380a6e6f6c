package olares

import (
	"slices"
	"strings"

	"github.com/appmarket/operator/internal/text"
)

// readPermissions returns one line for each permission that the app requests.
func readPermissions(d *decoder) []string {
	var requested []string
	for _, key := range []string{"appData", "appCache", "appCommon", "externalData"} {
		if d.boolField(key) {
			requested = append(requested, key)
		}
	}
	for _, path := range d.textList("userData", maxLongList, maxLine) {
		requested = append(requested, "userData: "+path)
	}
	for _, each := range d.listItems("sysData", maxLongList, optional) {
		if s := d.warnings.openMapping(each, optional); s != nil {
			ops := strings.Join(s.textList("ops", maxShortList, maxLine), ", ")
			data := joinNonEmpty(s.boundedText("group", maxLine), s.boundedText("dataType", maxLine))
			requested = append(requested, text.Truncate("sysData: "+data+" ("+ops+")", maxSummary))
			s.ignoreKeys("version", "appName", "port", "svc", "namespace")
			s.warnUnknownKeys()
		}
	}
	for _, each := range d.listItems("provider", maxLongList, optional) {
		if p := d.warnings.openMapping(each, optional); p != nil {
			requested = append(requested, "provider: "+joinNonEmpty(p.boundedText("appName", maxLine), p.boundedText("providerName", maxLine)))
			p.ignoreKeys("namespace", "podSelectors")
			p.warnUnknownKeys()
		}
	}
	if account := d.boundedText("serviceAccount", maxName); account != "" {
		requested = append(requested, "serviceAccount: "+account)
	}
	d.warnUnknownKeys()
	return requested
}

// joinNonEmpty joins the parts that are not empty with slashes.
func joinNonEmpty(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "/")
}
