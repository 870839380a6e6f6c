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
// "service account team/installer may not create secrets in namespace team". It returns none for an
// error that has another cause.
func Denials(text string) []string {
	var denials []string
	for _, m := range denialPattern.FindAllStringSubmatch(text, -1) {
		who := "user " + m[1]
		if account, ok := strings.CutPrefix(m[1], "system:serviceaccount:"); ok {
			who = "service account " + strings.ReplaceAll(account, ":", "/")
		}
		what, where := m[3], "at cluster scope"
		if m[4] != "" {
			what += "." + m[4]
		}
		if m[5] != "" {
			where = "in namespace " + m[5]
		}
		if denial := fmt.Sprintf("%s may not %s %s %s", who, m[2], what, where); !slices.Contains(denials, denial) {
			denials = append(denials, denial)
		}
	}
	return denials
}
