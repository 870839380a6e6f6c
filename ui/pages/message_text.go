package pages

import (
	"regexp"

	"github.com/appmarket/operator/ui/locale"
)

// fieldPaths are the parts of messages of the operator that name a field of an object, for which a page has a
// control or shows the content, with the messages that replace them.
var fieldPaths = []struct {
	pattern *regexp.Regexp
	id      string
	// control is the message with the label of the control, empty if there is none.
	control string
}{
	{regexp.MustCompile(`\bstatus\.preflight\[\d+\]\.remedy\b`), "messageText.remedy", ""},
	{regexp.MustCompile(`\bsee status\.requiredInputs\b`), "messageText.inputs", ""},
	{regexp.MustCompile(`\bset spec\.uninstall\.dependents to Uninstall\b`), "messageText.selectControl", "uninstall.dependents"},
	{regexp.MustCompile(`\bset spec\.dependencies to Install\b`), "messageText.selectControl", "install.dependencies"},
	{regexp.MustCompile(`\bset another spec\.instanceName\b`), "messageText.name", ""},
	{accountNotSet, "messageText.account", ""},
	{regexp.MustCompile(`\bset another spec\.serviceAccountName\b`), "messageText.otherAccount", ""},
}

// accountNotSet begins a message about permissions that the service account lacks that is used if none is selected.
var accountNotSet = regexp.MustCompile(`\bspec\.serviceAccountName is not set\b`)

// fieldReferences are the parts of messages that refer to a field of the status, which only the page of the object shows.
var fieldReferences = regexp.MustCompile(`; (see status\.requiredInputs|apply status\.preflight\[\d+\]\.remedy)\b`)

// withoutReferences returns a message of the operator for a list, which has no place for what the message refers to.
func withoutReferences(message string) string {
	return fieldReferences.ReplaceAllLiteralString(message, "")
}

// messageText returns a message of the operator for a page, which has controls instead of fields.
func messageText(l *locale.Language, message string) string {
	if accountNotSet.MatchString(message) {
		message += "; " + l.Text("messageText.selectAccount")
	}
	for _, each := range fieldPaths {
		if !each.pattern.MatchString(message) {
			continue
		}
		control := ""
		if each.control != "" {
			control = l.Text(each.control)
		}
		message = each.pattern.ReplaceAllLiteralString(message, l.Text(each.id, "Control", control))
	}
	return message
}
