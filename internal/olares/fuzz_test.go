package olares_test

import (
	"reflect"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/outcome"
)

func FuzzManifest(f *testing.F) {
	f.Add([]byte(fullManifest))
	f.Add([]byte(aliasBomb()))
	f.Add([]byte("\ufeff" + minimalManifest + "envs:\n- &a {envName: A, <<: {x: *b}}\n"))
	f.Add([]byte(minimalManifest + "entrances: [{name: a, post: 1}]\n---\nx: !!binary aGk=\n"))
	f.Add([]byte("olaresManifest.version: '0.11.0'\n{{- if .Values.admin }}\na: b\n{{- end }}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		reader := olares.Reader{}
		reader.Templated(text)
		m, err := reader.Read(text)
		if err != nil {
			if m != nil || !outcome.IsStalled(err) || len(err.Error()) > 400 {
				t.Fatalf("got %v with error %v", m, err)
			}
			return
		}
		if m.Name == "" || m.Version == "" || len(m.Title) > 200 || !utf8.ValidString(m.Title) {
			t.Fatalf("got name %q, version %q, title %q", m.Name, m.Version, m.Title)
		}
		if len(m.Warnings) > 50 || slices.ContainsFunc(m.Warnings, func(w string) bool { return len(w) > 256 }) {
			t.Fatalf("got warnings %q", m.Warnings)
		}
		again, err := reader.Read(text)
		if err != nil || !reflect.DeepEqual(m, again) {
			t.Fatalf("got %+v, and %+v, %v from the second call", m, again, err)
		}
		if values := (olares.Profile{}).Values(m, hydrate.InstallTarget{}); !reflect.DeepEqual(values, olares.Profile{}.Values(m, hydrate.InstallTarget{})) {
			t.Fatalf("the second call returned other values than %v", values)
		}
	})
}
