package index

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	. "github.com/onsi/gomega"
	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"
)

// indexFile and chartVersion have the fields that Helm writes into an index.
type indexFile struct {
	APIVersion string                    `json:"apiVersion" yaml:"apiVersion"`
	Entries    map[string][]chartVersion `json:"entries" yaml:"entries"`
	Generated  string                    `json:"generated" yaml:"generated"`
}

type chartVersion struct {
	Annotations map[string]string   `json:"annotations,omitempty" yaml:"annotations,omitempty"`
	APIVersion  string              `json:"apiVersion" yaml:"apiVersion"`
	AppVersion  string              `json:"appVersion,omitempty" yaml:"appVersion,omitempty"`
	Created     string              `json:"created" yaml:"created"`
	Depends     []map[string]string `json:"dependencies,omitempty" yaml:"dependencies,omitempty"`
	Deprecated  bool                `json:"deprecated,omitempty" yaml:"deprecated,omitempty"`
	Description string              `json:"description" yaml:"description"`
	Digest      string              `json:"digest" yaml:"digest"`
	Keywords    []string            `json:"keywords,omitempty" yaml:"keywords,omitempty"`
	Name        string              `json:"name" yaml:"name"`
	Removed     bool                `json:"removed,omitempty" yaml:"removed,omitempty"`
	URLs        []string            `json:"urls" yaml:"urls"`
	Version     string              `json:"version" yaml:"version"`
}

// awkward contains texts that need quotes in YAML, or look like another type.
var awkward = []string{
	"", "plain", "two words", "a: b", "# no comment", "x #y", "- item", "{a}", "[a]", "*star", "&and", "!bang", "%per", "@at", "`tick",
	"'quoted'", `"double"`, "it's", `back\slash`, "true", "yes", "null", "~", "1.10", "0x1f", "1e3", ".inf", "2001-01-01", "2001-01-01T00:00:00Z",
	"line\nline", "line\n\n  indented\nline\n", "trailing \n", "tab\there", "ünïcode", "ends with:", ":starts", "?", "-", "---", "...", "a\u2028b",
	"name: other\nversion: 9.9.9", "entries:\n  fake:\n  - name: fake", strings.Repeat("long words that are wrapped ", 20),
	"a'b: \"c\" # d", "bell\a", "=", "|", ">", "1_000", "0o7", "12:30:45",
	"\nfirst empty", "\r\n", "<<", "  - name: fake\n    version: 8.8.8\n",
}

// unwritable is the number of texts at the end of awkward that yaml.v3 writes in a way that
// it cannot read.
const unwritable = 4

func randomIndex(r *rand.Rand, odd []string, apps, versions int) indexFile {
	pick := func() string { return odd[r.IntN(len(odd))] }
	index := indexFile{APIVersion: "v1", Entries: map[string][]chartVersion{}, Generated: "2026-01-02T03:04:05Z"}
	for a := range apps {
		name := fmt.Sprintf("app-%d", a)
		if r.IntN(10) == 0 {
			name = pick()
		}
		for range r.IntN(versions + 1) {
			v := chartVersion{
				APIVersion: "v2", Name: name, AppVersion: pick(), Description: pick(), Created: "2026-01-02T03:04:05.678Z",
				Version: fmt.Sprintf("%d.%d.%d", r.IntN(3), r.IntN(3), r.IntN(3)), Digest: strings.Repeat("0a", 32),
				URLs:       []string{fmt.Sprintf("charts/%s.tgz", name), pick()},
				Deprecated: r.IntN(5) == 0, Removed: r.IntN(9) == 0,
			}
			if r.IntN(3) == 0 {
				v.Annotations = map[string]string{pick(): pick(), "artifacthub.io/changes": pick()}
				v.Keywords = []string{pick(), pick()}
				v.Depends = []map[string]string{{"name": pick(), "version": pick()}}
			}
			if r.IntN(8) == 0 {
				v.Version, v.URLs = pick(), []string{pick()}
			}
			index.Entries[name] = append(index.Entries[name], v)
		}
	}
	return index
}

// entryLines returns the entries of an index without parsing it.
func entryLines(index indexFile) []string {
	all := newRecorder()
	for name, versions := range index.Entries {
		for _, v := range versions {
			e := Entry{Name: v.Name, Version: v.Version, AppVersion: v.AppVersion, Digest: v.Digest, Created: v.Created, Deprecated: v.Deprecated, Removed: v.Removed}
			if len(v.URLs) > 0 {
				e.URL = v.URLs[0]
			}
			all.entries[name] = append(all.entries[name], e)
		}
	}
	return all.sortedLines()
}

// sortedLines returns every field of the recorded entries, sorted by app.
func (r *recorder) sortedLines() []string {
	var all []string
	for _, app := range slices.Sorted(maps.Keys(r.entries)) {
		for _, e := range r.entries[app] {
			all = append(all, fmt.Sprintf("%q %#v", app, e))
		}
	}
	for _, app := range slices.Sorted(maps.Keys(r.skipped)) {
		all = append(all, fmt.Sprintf("%q: %d skipped", app, len(r.skipped[app])))
	}
	return all
}

func TestLayoutsOfWriters(t *testing.T) {
	styles := map[string]func(indexFile) ([]byte, error){
		"as Helm writes it":          func(i indexFile) ([]byte, error) { return sigsyaml.Marshal(i) },
		"yaml.v3, indented by four":  func(i indexFile) ([]byte, error) { return encodeYAML(i, 4) },
		"yaml.v3, indented by seven": func(i indexFile) ([]byte, error) { return encodeYAML(i, 7) },
		"JSON":                       func(i indexFile) ([]byte, error) { return json.Marshal(i) },
		"indented JSON":              func(i indexFile) ([]byte, error) { return json.MarshalIndent(i, "", "\t") },
		"yaml.v3, flow":              encodeFlow,
		"Windows lines": func(i indexFile) ([]byte, error) {
			text, err := sigsyaml.Marshal(i)
			return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), err
		},
		"byte order mark and document start": func(i indexFile) ([]byte, error) {
			text, err := sigsyaml.Marshal(i)
			return append([]byte("\xef\xbb\xbf--- \n# made by hand\n\n"), text...), err
		},
		"two documents": func(i indexFile) ([]byte, error) {
			text, err := sigsyaml.Marshal(i)
			return append(text, "---\nentries: 7\n"...), err
		},
	}
	for style, write := range styles {
		t.Run(style, func(t *testing.T) {
			odd, compared := awkward, 0
			if strings.HasPrefix(style, "yaml.v3") {
				odd = awkward[:len(awkward)-unwritable]
			}
			for seed := range uint64(40) {
				g := NewWithT(t)
				index := randomIndex(rand.New(rand.NewPCG(seed, 1)), odd, 12, 6)
				text, err := write(index)
				if err != nil || !isReadable(text, index) {
					continue
				}
				compared++
				got, complete, err := Read(iotest.HalfReader(bytes.NewReader(text)), newRecorder)
				g.Expect(err).NotTo(HaveOccurred(), "seed %d", seed)
				g.Expect(complete).To(BeTrue(), "seed %d", seed)
				g.Expect(got.sortedLines()).To(Equal(entryLines(index)), "seed %d", seed)
			}
			NewWithT(t).Expect(compared).To(BeNumerically(">", 20))
		})
	}
}

// isReadable reports whether the YAML parser reads the index that was written.
func isReadable(text []byte, index indexFile) bool {
	var read indexFile
	if err := yaml.Unmarshal(text, &read); err != nil {
		return false
	}
	return reflect.DeepEqual(entryLines(read), entryLines(index))
}

func encodeYAML(index indexFile, indent int) ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(indent)
	err := errors.Join(encoder.Encode(index), encoder.Close())
	return out.Bytes(), err
}

func encodeFlow(index indexFile) ([]byte, error) {
	var node yaml.Node
	if err := node.Encode(index); err != nil {
		return nil, err
	}
	node.Style = yaml.FlowStyle
	return yaml.Marshal(&node)
}
