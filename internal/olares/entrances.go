package olares

import (
	"math"
	"slices"

	"github.com/appmarket/operator/internal/inputs"
)

func readEntrances(top *decoder) []inputs.Entrance {
	var entrances []inputs.Entrance
	for _, each := range top.listItems("entrances", maxEntrances, essential) {
		d := top.warnings.openMapping(each, essential)
		if d == nil {
			continue
		}
		e := inputs.Entrance{
			Name:      d.boundedText("name", maxName),
			Title:     d.truncatedText("title", maxLine),
			Host:      d.boundedText("host", maxName),
			Port:      d.integerField("port", math.MaxUint16),
			Icon:      d.boundedText("icon", maxURL),
			AuthLevel: d.choiceField("authLevel", "internal", "private", "public"),
			Invisible: d.boolField("invisible"),
		}
		d.ignoreKeys("openMethod", "windowPushState")
		d.warnUnknownKeys()
		named := func(other inputs.Entrance) bool { return other.Name == e.Name }
		switch {
		case e.Name == "":
			top.warnings.addWarning("%s is ignored: name is missing", each.path)
		case slices.ContainsFunc(entrances, named):
			top.warnings.addWarning("%s is ignored: another entrance has the same name", each.path)
		default:
			entrances = append(entrances, e)
		}
	}
	return entrances
}
