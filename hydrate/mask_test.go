package hydrate_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/appmarket/operator/internal/objects"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/hydrate"
)

// platform contains the platform values of these tests. None of the strings and numbers may
// appear in a report.
var platform = map[string]any{
	"smtp":   map[string]any{"host": "mail.Internal.example", "password": "hunter2&more"},
	"users":  []any{map[string]any{"name": "alice-the-admin"}, "bob@internal"},
	"pin":    float64(481516),
	"quoted": `say "friend"`,
	"key":    "-----BEGIN KEY-----\nMIIByTBzBgNV\n-----END KEY-----\n",
	"region": "eu1", "port": float64(81), "debug": true, "none": nil, "empty": "",
}

func newDocument(text string) objects.Document {
	return objects.Document{Path: "web/templates/a.yaml", Text: text}
}

// publishedReport returns the report on documents that were rendered with these values.
func publishedReport(t *testing.T, texts ...string) string {
	t.Helper()
	var unit hydrate.Unit
	for _, text := range texts {
		unit.Documents = append(unit.Documents, newDocument(text))
	}
	reports, err := hydrate.NewReports(&hydrate.Draft{Request: hydrate.Request{Platform: platform}, Units: []hydrate.Unit{unit}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return string(reports["objects.yaml"])
}

func encodeBase64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func TestReportsMaskPlatformValues(t *testing.T) {
	for _, c := range []struct{ why, text, hidden string }{
		{"a whole value", "kind: Pod\nspec: {env: [{name: A, value: hunter2&more}]}\n", "hunter2"},
		{"quoted", "kind: Pod\nspec: {env: [{name: A, value: \"hunter2&more\"}]}\n", "hunter2"},
		{"a part of a value", "kind: Pod\nspec: {args: [--dsn=smtp://x:hunter2&more@h]}\n", "hunter2"},
		{"in an URL", "kind: Pod\nspec: {args: ['smtp://x:hunter2%26more@h']}\n", "hunter2"},
		{"in lower case", "kind: Ingress\nspec: {host: www.mail.internal.example}\n", "internal.example"},
		{"a number", "kind: Pod\nspec: {pin: 481516}\n", "481516"},
		{"a number as text", "kind: Pod\nspec: {args: [--pin=481516]}\n", "481516"},
		{"a short number alone", "kind: Service\nspec: {ports: [{port: 81}]}\n", "81"},
		{"a short text alone", "kind: Pod\nspec: {nodeSelector: {region: eu1}}\n", "eu1"},
		{"in a list of values", "kind: Pod\nspec: {args: [alice-the-admin, bob@internal]}\n", "bob@internal"},
		{"encoded", "kind: ConfigMap\nbinaryData: {a: " + encodeBase64("hunter2&more") + "}\n", encodeBase64("hunter2&more")},
		{"encoded, a part", "kind: ConfigMap\nbinaryData: {a: " + encodeBase64("x: hunter2&more\n") + "}\n", encodeBase64("x: hunter2&more\n")},
		{"encoded for URLs", "kind: ConfigMap\ndata: {a: '" + base64.RawURLEncoding.EncodeToString([]byte("??hunter2&more??")) + "'}\n", "aHVudGVyMi"},
		{"a short one, encoded", "kind: ConfigMap\ndata: {a: " + encodeBase64("eu1") + "}\n", encodeBase64("eu1")},
		{"in JSON in a text", "kind: ConfigMap\ndata: {a: '{\"greet\": \"say \\\"friend\\\"\"}'}\n", "friend"},
		{"quotes in it", "kind: ConfigMap\ndata: {a: 'say \"friend\"'}\n", "friend"},
		{"in a block", "kind: ConfigMap\ndata:\n  app.conf: |\n    user = alice-the-admin\n    mode = fast\n", "alice"},
		{"folded", "kind: ConfigMap\ndata:\n  a: >-\n    to\n    bob@internal\n", "bob"},
		{"with escapes", "kind: ConfigMap\ndata: {a: \"bob\\u0040internal\"}\n", "bob"},
		{"lines that were indented", "kind: ConfigMap\ndata:\n  a: |\n    begin\n        MIIByTBzBgNV\n    end\n", "MIIByTBzBgNV"},
		{"a comment", "# for alice-the-admin\nkind: Pod\n", "alice"},
		{"a key", "kind: ConfigMap\ndata: {alice-the-admin: a}\n", "alice"},
		{"a label", "kind: Pod\nmetadata: {labels: {owner: alice-the-admin}}\n", "alice"},
		{"the name of an object", "kind: Pod\nmetadata: {name: mail-alice-the-admin}\n", "alice"},
		{"data that is called a kind", "kind: ConfigMap\ndata: {kind: hunter2&more}\n", "hunter2"},
		{"in a list of objects", "kind: List\nitems: [{kind: Pod, spec: {args: [hunter2&more]}}]\n", "hunter2"},
		{"metadata of a Secret", "kind: Secret\nmetadata: {annotations: {by: alice-the-admin}}\ndata: {a: b}\n", "alice"},
		{"in a text that is no object", "made for alice-the-admin\n", "alice"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			got := publishedReport(t, c.text)
			if !strings.HasPrefix(c.text, "#") {
				g.Expect(got).To(ContainSubstring("(masked)"))
			}
			g.Expect(strings.TrimPrefix(got, "---\n# Source: web/templates/a.yaml\n")).NotTo(ContainSubstring(c.hidden))
			for _, document := range strings.Split(got, "---\n") {
				g.Expect(yaml.Unmarshal([]byte(document), new(any))).To(Succeed(), document)
			}
		})
	}
}

func TestReportsKeepWhatIsNoPlatformValue(t *testing.T) {
	for why, text := range map[string]string{
		"comments and order":         "# why\nkind: Pod\nmetadata: {name: a}\n",
		"words with a short value":   "kind: Pod\nmetadata: {name: neu1-81}\n",
		"a boolean":                  "kind: Pod\nspec: {debug: true}\n",
		"nothing":                    "kind: Pod\nspec: {a: '', b: null}\n",
		"a longer number":            "kind: Pod\nspec: {a: 811}\n",
		"base64 of something else":   "kind: ConfigMap\nbinaryData: {a: " + encodeBase64("another text") + "}\n",
		"words that look like it":    "kind: Pod\nspec: {args: [hunter, more, alice]}\n",
		"a number that is a version": "kind: Pod\nspec: {image: web:8.1}\n",
	} {
		t.Run(why, func(t *testing.T) {
			NewWithT(t).Expect(publishedReport(t, text)).To(HaveSuffix("a.yaml\n" + text))
		})
	}
}

func TestReportsKeepWhatAnObjectIs(t *testing.T) {
	g := NewWithT(t)
	reports, err := hydrate.NewReports(&hydrate.Draft{
		Request: hydrate.Request{Platform: map[string]any{"a": "Deployment", "b": "apps/v1", "c": "metadata", "d": "secret-name"}},
		Units:   []hydrate.Unit{{Documents: []objects.Document{newDocument("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, labels: {a: secret-name}}\n")}}},
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(reports["objects.yaml"])).To(And(
		ContainSubstring("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n"), ContainSubstring("name: web"), Not(ContainSubstring("secret-name"))))
}

// TestReportsAreMaskedInTime uses the maximum number of values of a source and a large
// report.
func TestReportsAreMaskedInTime(t *testing.T) {
	g := NewWithT(t)
	many := map[string]any{}
	for i := range 20_000 {
		many[fmt.Sprint("key", i)] = fmt.Sprint("value-", i, "-of-many")
	}
	var text strings.Builder
	text.WriteString("kind: ConfigMap\ndata:\n")
	for i := range 20_000 {
		fmt.Fprintf(&text, "  key-%d: the value-%d-of-many others\n", i, i)
	}
	reports, err := hydrate.NewReports(&hydrate.Draft{
		Request: hydrate.Request{Platform: many}, Units: []hydrate.Unit{{Documents: []objects.Document{newDocument(text.String())}}},
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(reports["objects.yaml"])).NotTo(ContainSubstring("-of-many"))
}
