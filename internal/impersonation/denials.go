package impersonation

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// denialPattern matches the message of the API server for a request without permission.
var denialPattern = regexp.MustCompile(
	`User "([^"]*)" cannot (\S+) resource "([^"]*)"(?: in API group "([^"]*)")?(?: in the namespace "([^"]*)")?`)

// Denials describes each missing permission in the text of an error of the API server, for example
// `service account "team/installer" cannot create secrets in namespace "team"`. It returns none for an
// error that has another cause.
func Denials(text string) []string {
	var denials []string
	for _, m := range denialPattern.FindAllStringSubmatch(text, -1) {
		who := fmt.Sprintf("user %q", m[1])
		if account, ok := strings.CutPrefix(m[1], "system:serviceaccount:"); ok {
			who = fmt.Sprintf("service account %q", strings.ReplaceAll(account, ":", "/"))
		}
		what, where := m[3], "at cluster scope"
		if m[4] != "" {
			what += "." + m[4]
		}
		if m[5] != "" {
			where = fmt.Sprintf("in namespace %q", m[5])
		}
		if denial := fmt.Sprintf("%s cannot %s %s %s", who, m[2], what, where); !slices.Contains(denials, denial) {
			denials = append(denials, denial)
		}
	}
	return denials
}
