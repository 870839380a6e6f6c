package olares_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/appmarket/operator/internal/inputs"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/outcome"
)

const minimalManifest = `olaresManifest.version: '0.12.0'
olaresManifest.type: app
metadata: {name: notes, version: 1.2.0, title: Notes}
`

func TestTemplated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why  string
		text string
		want bool
	}{
		{why: "the first version without templates", text: "olaresManifest.version: '0.12.0'\n", want: false},
		{why: "the last version with templates", text: `olaresManifest.version: "0.11.0"`, want: true},
		{why: "not compared as strings", text: "olaresManifest.version: 0.9.0\n", want: true},
		{why: "a major version", text: "olaresManifest.version: 1.0.0\n", want: false},
		{why: "major and minor only", text: "olaresManifest.version: 0.12\n", want: false},
		{why: "a byte order mark", text: "\ufeffolaresManifest.version: '0.12.0'\r\n", want: false},
		{why: "a quoted key and a comment", text: "'olaresManifest.version' : \"0.12.0\" # new\n", want: false},
		{why: "after template lines", text: "{{- if .Values.x }}\n---\nolaresManifest.version: '0.12.1'\n", want: false},
		{why: "only in another block", text: "spec:\n  olaresManifest.version: '0.12.0'\n", want: true},
		{why: "another key", text: "xolaresManifest.version: '0.12.0'\n", want: true},
		{why: "no version", text: "metadata: {}\n", want: true},
		{why: "an invalid version", text: "olaresManifest.version: '{{ .Values.v }}'\n", want: true},
		{why: "an empty file", text: "", want: true},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			NewWithT(t).Expect(olares.Reader{}.Templated([]byte(c.text))).To(Equal(c.want))
		})
	}
}

// fullManifest contains every field that is read.
const fullManifest = `olaresManifest.version: '0.12.0'
olaresManifest.type: middleware
apiVersion: 'v2'
metadata:
  name: notes
  appid: notes
  title: Notes
  description: Writes notes.
  icon: https://a.example/i.png
  version: 1.2.0
  categories: [Work, Work_v112, " Play_v112 "]
entrances:
- {name: web, title: Notes, host: notes-svc, port: 8080, icon: "https://a.example/e.png", authLevel: Private, openMethod: window}
- {name: api, host: notes-svc, port: "81", invisible: true}
sharedEntrances: [{name: x}]
envs:
- {envName: LANGUAGE, type: string, required: true, editable: true, default: en, description: The language., regex: '^\w+$', applyOnChange: true}
- {envName: LEVEL, title: Level, options: [{title: Low, value: 1}, {value: high}, plain]}
- {envName: WORDS, multiSelect: true, splitter: "|", options: [{value: a.b}, {value: c}]}
- {envName: TOKEN, type: Password, valueFrom: {envName: SYSTEM_TOKEN}}
- {envName: FIXED, type: bool, value: true}
spec:
  versionName: 1.0
  developer: Someone
  website: https://a.example
  sourceCode: https://b.example
  fullDescription: |
    Many {{ braces }}.
  upgradeDescription: Faster.
  license: [{text: MIT, url: "https://c.example"}, Apache-2.0]
  promoteImage: ["https://a.example/1.png"]
  locale: [en-US]
  supportArch: [AMD64, arm64]
  requiredCpu: 1
  requiredMemory: 0.5Gi
  limitedCpu: 0.50
  onlyAdmin: "true"
  subCharts: [{name: server, shared: true}, {name: notes}]
options:
  allowMultipleInstall: true
  appScope: {clusterScoped: true}
  images: ["busybox:1"]
  dependencies:
  - {name: olares, type: system, version: '>=1.12.6-0'}
  - {name: store, type: application, version: '>=1.0.0', mandatory: true}
  conflicts: [{name: oldnotes, type: application}]
permission:
  appData: true
  appCache: false
  externalData: true
  userData: [Home, Home/Music]
  sysData: [{group: service.bfl, dataType: app, version: v1, ops: [List, Get]}]
  provider: [{appName: mail, providerName: send}]
middleware:
  postgres: {username: notes, password: secret, databases: [{name: notes, distributed: true}, {name: log}]}
  redis: {namespace: n0}
  futuredb: {username: u, databases: [one]}
workloadReplicas: {notes: 1, "notes-web": 2}
`

func TestReadFull(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	got, err := olares.Reader{}.Read([]byte(fullManifest))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(got).To(Equal(&hydrate.Manifest{
		Format: "0.12.0", APIVersion: "v2", Type: "middleware",
		Name: "notes", Version: "1.2.0", Title: "Notes", Description: "Writes notes.",
		Icon: "https://a.example/i.png", Categories: []string{"Work", "Play"},
		VersionName: "1.0", Developer: "Someone", Website: "https://a.example", SourceCode: "https://b.example",
		FullDescription: "Many {{ braces }}.", UpgradeDescription: "Faster.",
		Licenses:      []string{"MIT", "Apache-2.0"},
		PromoteImages: []string{"https://a.example/1.png"},
		Locales:       []string{"en-US"},
		Entrances: []inputs.Entrance{
			{Name: "web", Title: "Notes", Host: "notes-svc", Port: 8080, Icon: "https://a.example/e.png", AuthLevel: "private"},
			{Name: "api", Host: "notes-svc", Port: 81, Invisible: true},
		},
		Inputs: []inputs.Input{
			{Name: "LANGUAGE", Type: "string", Required: true, Editable: true, Default: "en", Description: "The language.", Pattern: `^\w+$`},
			{Name: "LEVEL", Title: "Level", Type: "string", Options: []inputs.Option{
				{Title: "Low", Value: "1"}, {Title: "high", Value: "high"}, {Title: "plain", Value: "plain"}}},
			{Name: "WORDS", Type: "string", Pattern: `^(?:a\.b|c)(?:\|(?:a\.b|c))*$`},
			{Name: "TOKEN", Type: "password", From: "SYSTEM_TOKEN"},
			{Name: "FIXED", Type: "bool", Value: "true"},
		},
		SubCharts:        []hydrate.SubChart{{Name: "server", Shared: true}, {Name: "notes"}},
		WorkloadReplicas: map[string]int32{"notes": 1, "notes-web": 2},
		Middlewares: map[string]hydrate.Middleware{
			"postgres": {Username: "notes", Names: []string{"notes", "log"}},
			"redis":    {Namespace: "n0"},
			"futuredb": {Username: "u", Names: []string{"one"}},
		},
		Needs: []hydrate.Dependency{
			{Name: "olares", Type: "system", Version: ">=1.12.6-0"},
			{Name: "store", Type: "application", Version: ">=1.0.0", Mandatory: true},
		},
		Conflicts:     []hydrate.Dependency{{Name: "oldnotes", Type: "application"}},
		Architectures: []string{"amd64", "arm64"},
		Resources:     hydrate.Resources{RequiredCPU: "1", RequiredMemory: "0.5Gi", LimitedCPU: "0.50"},
		Permissions: []string{"appData", "externalData", "userData: Home", "userData: Home/Music",
			"sysData: service.bfl/app (List, Get)", "provider: mail/send"},
		OnlyAdmin: true, ClusterScoped: true, Cloneable: true,
		Images: []string{"busybox:1"},
	}), "all fields are read without warnings")
}

func TestReadError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why  string
		text string
		want string
	}{
		{why: "an empty file", text: "", want: "empty"},
		{why: "only a comment", text: "# x\n", want: "empty"},
		{why: "invalid YAML", text: "a: [", want: "line"},
		{why: "an error page", text: "<html><body>x: y: z</body></html>", want: "invalid YAML: line 1: "},
		{why: "a string", text: "hello", want: "the manifest must be a map, but is a string"},
		{why: "a list", text: "- a", want: "the manifest must be a map, but is a list"},
		{why: "no metadata", text: "spec: {}", want: "metadata.name: Required value"},
		{why: "no version", text: "metadata: {name: a}", want: "metadata.version: Required value"},
		{why: "an empty name", text: "metadata: {name: '', version: 1}", want: "metadata.name: Required value"},
		{why: "a name that is a map", text: "metadata: {name: {a: b}, version: 1}", want: "metadata.name must be a string, but is a map"},
		{why: "a name that is too long", text: "metadata: {name: " + strings.Repeat("x", 254) + ", version: 1}",
			want: "metadata.name is longer than 253 bytes"},
		{why: "metadata that is a string", text: "metadata: x", want: "metadata must be a map, but is a string"},
		{why: "entrances as a map", text: minimalManifest + "entrances: {a: b}", want: "entrances must be a list, but is a map"},
		{why: "an entrance that is a number", text: minimalManifest + "entrances: [{name: a}, 1]", want: "entrances[1] must be a map, but is a number"},
		{why: "envs as a string", text: minimalManifest + "envs: none", want: "envs must be a list, but is a string"},
		{why: "an env that is a boolean", text: minimalManifest + "envs: [true]", want: "envs[0] must be a map, but is a boolean"},
		{why: "too many envs", text: minimalManifest + "envs: [" + strings.Repeat("{envName: a},", 257) + "]", want: "envs has more than 256 entries"},
		{why: "a spec that is a list", text: minimalManifest + "spec: []", want: "spec must be a map, but is a list"},
		{why: "a sub chart without a name", text: minimalManifest + "spec: {subCharts: [{shared: true}]}", want: "spec.subCharts[0].name: Required value"},

		{why: "too large", text: minimalManifest + strings.Repeat(" ", olares.MaxBytes), want: "larger than 1048576 bytes"},
		{why: "too many values", text: "a: [" + strings.Repeat("1,", 100_001) + "]", want: "more than 100000 values"},
		{why: "nested too deep", text: "a: " + strings.Repeat("[", 70) + strings.Repeat("]", 70), want: "nested more than 64 levels deep"},
		{why: "an alias without an anchor", text: "a: *b", want: "unknown anchor"},
		{why: "an alias bomb", text: aliasBomb(), want: "aliases"},
		{why: "a wide alias", text: "a: &a [" + strings.Repeat("1,", 2_000) + "]\nb: [" + strings.Repeat("*a,", 900) + "]",
			want: "more than 100000 values with aliases expanded"},
		{why: "an alias that contains itself", text: "a: &a {b: *a}", want: "nested more than 64 levels deep"},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			m, err := olares.Reader{}.Read([]byte(c.text))
			g.Expect(m).To(BeNil())
			g.Expect(err).To(MatchError(And(HavePrefix("read manifest: "), ContainSubstring(c.want))))
			g.Expect(outcome.IsStalled(err)).To(BeTrue())
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidManifest))
			g.Expect(len(err.Error())).To(BeNumerically("<", 400))
		})
	}
}

// aliasBomb returns ten levels of ten aliases each.
func aliasBomb() string {
	var text strings.Builder
	text.WriteString("a0: &a0 [x]\n")
	for i := 1; i <= 10; i++ {
		fmt.Fprintf(&text, "a%d: &a%d [%s]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10))
	}
	return text.String()
}

func TestReadTolerant(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ö", 300)
	for _, c := range []struct {
		why      string
		text     string
		warnings []string
		check    func(g Gomega, m *hydrate.Manifest)
	}{
		{why: "only required fields", text: "metadata: {name: a, version: 1.0}",
			warnings: []string{"olaresManifest.version is missing."},
			check: func(g Gomega, m *hydrate.Manifest) {
				g.Expect(m.Version).To(Equal("1.0"), "as written, not as a number")
				g.Expect(m.APIVersion).To(Equal("v1"))
				g.Expect(m.Type).To(Equal("app"))
			}},
		{why: "a byte order mark and empty blocks", text: "\ufeff" + minimalManifest + "middleware:\nenvs:\nentrances: ~\noptions:\nspec:\n"},
		{why: "a typo in a field", text: minimalManifest + "entrances: [{name: a, post: 80}]",
			warnings: []string{"entrances[0].post is not a known field."},
			check: func(g Gomega, m *hydrate.Manifest) {
				g.Expect(m.Entrances).To(HaveExactElements(inputs.Entrance{Name: "a"}))
			}},
		{why: "a misplaced field has no effect", text: minimalManifest + "onlyAdmin: true\noptions: {onlyAdmin: true}",
			warnings: []string{"onlyAdmin is not a known field.", "options.onlyAdmin is not a known field."},
			check:    func(g Gomega, m *hydrate.Manifest) { g.Expect(m.OnlyAdmin).To(BeFalse()) }},
		{why: "wrong types of optional fields", text: minimalManifest + "spec: {onlyAdmin: 7, license: MIT, locale: {a: b}, website: [x]}\nworkloadReplicas: [a]",
			warnings: []string{
				"spec.license is ignored: must be a list, but is a string.",
				"spec.locale is ignored: must be a list, but is a map.",
				"spec.onlyAdmin is ignored: must be a boolean, but is a number.",
				"spec.website is ignored: must be a string, but is a list.",
				"workloadReplicas is ignored: must be a map, but is a list.",
			}},
		{why: "numbers out of range", text: minimalManifest + "entrances: [{name: a, port: 70000}, {name: b, port: 80.5}, {name: c, port: eighty}]\nworkloadReplicas: {a: -1, b: 1.0, c: 3000000000}",
			warnings: []string{
				"entrances[0].port is ignored: must be between 0 and 65535.",
				"entrances[1].port is ignored: must be an integer, but is a number.",
				"entrances[2].port is ignored: must be an integer, but is a string.",
				"workloadReplicas.a is ignored: must be between 0 and 2147483647.",
				"workloadReplicas.c is ignored: must be between 0 and 2147483647.",
			},
			check: func(g Gomega, m *hydrate.Manifest) {
				g.Expect(m.WorkloadReplicas).To(Equal(map[string]int32{"b": 1}))
			}},
		{why: "values that are not allowed", text: minimalManifest + "apiVersion: v9\nentrances: [{name: a, authLevel: secret}]\nenvs: [{envName: A, type: ip}]",
			warnings: []string{
				"apiVersion is ignored: must be one of v1, v2, v3.",
				"entrances[0].authLevel is ignored: must be one of internal, private, public.",
				"envs[0].type is ignored: must be one of string, bool, password, url, email, int, domain.",
			},
			check: func(g Gomega, m *hydrate.Manifest) { g.Expect(m.Inputs[0].Type).To(Equal("string")) }},
		{why: "missing and duplicate names", text: minimalManifest + "entrances: [{port: 1}, {name: a, port: 2}, {name: a, port: 3}]\nenvs: [{type: int}, {envName: A, default: 1}, {envName: A}]\noptions: {dependencies: [{type: system}, 7]}",
			warnings: []string{
				"entrances[0] is ignored: name is missing.",
				"entrances[2] is ignored: another entrance has the same name.",
				"envs[0] is ignored: envName is missing.",
				"envs[2] is ignored: another input has the same envName.",
				"options.dependencies[0] is ignored: name is missing.",
				"options.dependencies[1] is ignored: must be a map, but is a number.",
			},
			check: func(g Gomega, m *hydrate.Manifest) {
				g.Expect(m.Inputs).To(HaveExactElements(inputs.Input{Name: "A", Type: "string", Default: "1"}))
				g.Expect(m.Entrances[0].Port).To(BeEquivalentTo(2))
			}},
		{why: "long texts", text: strings.Replace(minimalManifest, "Notes", long, 1) + "spec: {website: 'https://" + strings.Repeat("x", 3_000) + "'}",
			warnings: []string{
				"metadata.title is longer than 200 bytes and is truncated.",
				"spec.website is ignored: longer than 2048 bytes.",
			},
			check: func(g Gomega, m *hydrate.Manifest) {
				g.Expect(m.Title).To(Equal(strings.Repeat("ö", 100)))
				g.Expect(m.Website).To(BeEmpty(), "a URL is not truncated")
			}},
		{why: "a list that is too long", text: minimalManifest + "options: {conflicts: [" + strings.Repeat("{name: a, type: system},", 65) + "]}",
			warnings: []string{"options.conflicts has more than 64 entries: the rest is ignored."},
			check:    func(g Gomega, m *hydrate.Manifest) { g.Expect(m.Conflicts).To(HaveLen(64)) }},
		{why: "control characters", text: minimalManifest + `spec: {developer: "a\e[31mb\0c"}`,
			check: func(g Gomega, m *hydrate.Manifest) { g.Expect(m.Developer).To(Equal("a[31mbc")) }},
		{why: "a duplicate key, a key that is a list, an unusual key", text: minimalManifest + "spec: {developer: a, developer: b, ? [x] : y, \"a\\nb\": c}",
			warnings: []string{
				`spec has a key that is not a string and is ignored.`,
				`spec."a\nb" is not a known field.`,
				"spec.developer is given twice: the last value is used.",
			},
			check: func(g Gomega, m *hydrate.Manifest) { g.Expect(m.Developer).To(Equal("b")) }},
		{why: "aliases and merge keys", text: minimalManifest + "envs:\n- &a {envName: A, type: int, required: true}\n- {<<: *a, envName: B, required: false}\n- {<<: [*a, {default: x}], envName: C}\n",
			check: func(g Gomega, m *hydrate.Manifest) {
				g.Expect(m.Inputs).To(HaveExactElements(
					inputs.Input{Name: "A", Type: "int", Required: true},
					inputs.Input{Name: "B", Type: "int"},
					inputs.Input{Name: "C", Type: "int", Required: true, Default: "x"},
				))
			}},
		{why: "a second document", text: minimalManifest + "---\na: b\n",
			warnings: []string{"the file has more than one document: only the first one is read."}},
		{why: "resources for each accelerator", text: minimalManifest + "spec: {accelerator: [{mode: nvidia, requiredCpu: 4, requiredGPUMemory: 8Gi}, {mode: cpu, requiredCpu: 2}]}",
			check: func(g Gomega, m *hydrate.Manifest) {
				g.Expect(m.Resources).To(Equal(hydrate.Resources{RequiredCPU: "2"}), "the resources without a GPU")
			}},
		{why: "resources for a GPU only", text: minimalManifest + "spec: {accelerator: [{mode: nvidia, requiredGPUMemory: 8Gi}]}",
			check: func(g Gomega, m *hydrate.Manifest) {
				g.Expect(m.Resources).To(Equal(hydrate.Resources{RequiredGPU: "8Gi"}))
			}},
		{why: "a shared app", text: minimalManifest + "options: {shared: true}",
			check: func(g Gomega, m *hydrate.Manifest) { g.Expect(m.ClusterScoped).To(BeTrue()) }},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			m, err := olares.Reader{}.Read([]byte(c.text))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(m.Name).NotTo(BeEmpty())
			g.Expect(m.Warnings).To(Equal(c.warnings))
			if c.check != nil {
				c.check(g, m)
			}
		})
	}
}

func TestReadManyWarnings(t *testing.T) {
	t.Parallel()
	for _, many := range []int{50, 51, 5_000} {
		g := NewWithT(t)
		var text strings.Builder
		text.WriteString(minimalManifest)
		for i := range many {
			fmt.Fprintf(&text, "%s%05d: 1\n", strings.Repeat("x", 100), i)
		}
		m, err := olares.Reader{}.Read([]byte(text.String()))
		g.Expect(err).NotTo(HaveOccurred())
		// The truncated names are equal, so there is only one warning.
		g.Expect(len(m.Warnings)).To(BeNumerically("<=", 50))
		for _, w := range m.Warnings {
			g.Expect(len(w)).To(BeNumerically("<=", 256))
		}

		text.Reset()
		text.WriteString(minimalManifest)
		for i := range many {
			fmt.Fprintf(&text, "x%05d: 1\n", i)
		}
		m, err = olares.Reader{}.Read([]byte(text.String()))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(m.Warnings).To(HaveLen(50))
		last := "x00049 is not a known field."
		if many > 50 {
			last = fmt.Sprintf("%d more warnings.", many-49)
		}
		g.Expect(m.Warnings[49]).To(Equal(last))
	}
}
