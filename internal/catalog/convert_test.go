package catalog_test

import (
	"math"
	"strings"
	"testing"

	"github.com/appmarket/operator/internal/inputs"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
)

func TestBounded(t *testing.T) {
	for _, c := range []struct {
		why, text string
		n         int
		want      string
	}{
		{"short", "abc", 3, "abc"},
		{"long", "abcd", 3, "abc"},
		{"characters count, not bytes", "äöü", 3, "äöü"},
		{"long, in characters", "äöüß", 3, "äöü"},
		{"nothing", "", 3, ""},
	} {
		NewWithT(t).Expect(text.Limit(c.text, c.n)).To(Equal(c.want), c.why)
	}
	NewWithT(t).Expect(catalog.FirstItems([]int{1, 2, 3}, 2)).To(Equal([]int{1, 2}))
	NewWithT(t).Expect(catalog.FirstItems([]int{1}, 2)).To(Equal([]int{1}))
}

func TestInput(t *testing.T) {
	g := NewWithT(t)
	got := catalog.ToInput(inputs.Input{
		Name: "THEME", Title: strings.Repeat("t", 300), Type: "string", Required: true, Default: "light", Value: "dark", Pattern: "^[a-z]+$",
		Options: []inputs.Option{{Title: "Dark", Value: "dark"}},
	})
	g.Expect(got).To(Equal(v1alpha1.Input{
		Name: "THEME", Title: strings.Repeat("t", 200), Type: "string", Required: true, Default: "dark", Pattern: "^[a-z]+$",
		Options: []v1alpha1.InputOption{{Title: "Dark", Value: "dark"}},
	}))
	secret := catalog.ToInput(inputs.Input{Name: "PASSWORD", Type: "password", Default: "hunter2", Value: "hunter2"})
	g.Expect(secret).To(Equal(v1alpha1.Input{Name: "PASSWORD", Type: "password", Secret: true}), "nobody sees what is secret")

	one, half, huge := 1.0, 0.5, 1e300
	bounded := catalog.ToInput(inputs.Input{Name: "replicas", Range: &inputs.Bounds{Min: &half}, Length: &inputs.Bounds{Min: &one, Max: &huge}, ShowIf: "tls=true"})
	g.Expect(bounded).To(Equal(v1alpha1.Input{
		Name: "replicas", Minimum: "0.5", MinLength: ptr.To[int64](1), MaxLength: ptr.To[int64](math.MaxInt32), ShowIf: "tls=true",
	}))
}

func TestInstanceKey(t *testing.T) {
	g := NewWithT(t)
	i := &v1alpha1.AppInstance{}
	i.Namespace, i.Spec.AppRef = "team", v1alpha1.AppReference{Source: "main", Name: "web"}
	g.Expect(catalog.InstanceKey(i)).To(Equal("team/main.web"))
	i.Spec.AppRef.Namespace = "market"
	g.Expect(catalog.InstanceKey(i)).To(Equal("market/main.web"))
}

func TestProfiles(t *testing.T) {
	g := NewWithT(t)
	profiles := catalog.Profiles{v1alpha1.ProfileHelm: olares.HelmProfile{}, v1alpha1.ProfileOlares: olares.Profile{}}
	source := &v1alpha1.MarketSource{}
	profile, values, err := profiles.ProfileFor(source)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(profile).To(Equal(olares.HelmProfile{}), "that of a source that names none")
	g.Expect(values).To(BeEmpty())

	source.Spec.Platform = &v1alpha1.Platform{Profile: v1alpha1.ProfileOlares, Values: &runtime.RawExtension{Raw: []byte(`{"admin": "eve"}`)}}
	profile, values, err = profiles.ProfileFor(source)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(profile).To(Equal(olares.Profile{}))
	g.Expect(values).To(Equal(map[string]any{"admin": "eve"}))

	source.Spec.Platform.Profile = "Other"
	_, _, err = profiles.ProfileFor(source)
	g.Expect(outcome.IsStalled(err)).To(BeTrue())
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidSpec))
}

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		why    string
		raw    *runtime.RawExtension
		want   map[string]any
		failed bool
	}{
		{why: "nothing"},
		{why: "no bytes", raw: &runtime.RawExtension{}},
		{why: "null", raw: &runtime.RawExtension{Raw: []byte("null")}, want: map[string]any{}},
		{why: "a map", raw: &runtime.RawExtension{Raw: []byte(`{"a": {"b": [1, "c", null]}}`)}, want: map[string]any{"a": map[string]any{"b": []any{1.0, "c", nil}}}},
		{why: "YAML, which no object holds", raw: &runtime.RawExtension{Raw: []byte("a: 1")}, failed: true},
		{why: "a list", raw: &runtime.RawExtension{Raw: []byte(`[1]`)}, failed: true},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			got, err := catalog.DecodeValues(c.raw)
			g.Expect(got).To(Equal(c.want))
			g.Expect(err != nil).To(Equal(c.failed))
			g.Expect(outcome.IsStalled(err)).To(Equal(c.failed))
			if c.failed {
				g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidValues))
			}
		})
	}
}
