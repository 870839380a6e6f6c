package pages

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/internal/transitions"
)

// entranceRow is an entrance of an instance. An entrance without a URL is reached with one of the commands.
type entranceRow struct {
	v1alpha1.Entrance

	// Label is the title or the name.
	Label string
	// OpenURL is the URL at which a browser opens the entrance, empty if there is none.
	OpenURL string
	// Forward is the command that makes the entrance reachable on the machine of the user, and
	// OpenCommand is the command of the plugin that also opens it. Both are empty without a Service.
	Forward, OpenCommand string
}

// newEntranceRows returns the entrances of an instance that are not hidden.
func newEntranceRows(instance *v1alpha1.AppInstance) []entranceRow {
	var rows []entranceRow
	for _, entrance := range instance.Status.Entrances {
		if entrance.Hidden {
			continue
		}
		row := entranceRow{Entrance: entrance, Label: cmp.Or(entrance.Title, entrance.Name), OpenURL: openableURL(entrance.URL)}
		if entrance.Host != "" && entrance.Port > 0 {
			row.Forward = fmt.Sprintf("kubectl port-forward -n %s %s 8080:%d",
				quoteForShell(instance.Namespace), quoteForShell("service/"+entrance.Host), entrance.Port)
			row.OpenCommand = taskbuilder.PluginCommand([]string{"open", instance.Name, entrance.Name, "--namespace", instance.Namespace})
		}
		rows = append(rows, row)
	}
	return rows
}

// hostPattern matches a host name, or an IP address, with an optional port.
var hostPattern = regexp.MustCompile(`^([\pL\pN._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?$`)

// openableURL returns a URL that can be a link, empty for any other text. The URL comes from objects of a
// chart: it must use HTTP, and must not contain credentials, which make a host look like another one.
func openableURL(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || !hostPattern.MatchString(parsed.Host) || parsed.User != nil {
		return ""
	}
	return parsed.String()
}

// firstOpenURL returns the URL of the first entrance that has one, empty if there is none or the workloads
// do not run.
func firstOpenURL(instance *v1alpha1.AppInstance, rows []entranceRow) string {
	switch transitions.StateOf(instance) {
	case transitions.Stopped, transitions.Uninstalled, transitions.Deleting:
		return ""
	}
	for _, row := range rows {
		if row.OpenURL != "" {
			return row.OpenURL
		}
	}
	return ""
}
