package catalog_test

import (
	"math"
	"strings"
	"testing"

	"github.com/appmarket/operator/internal/inputs"

	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
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
	g.Expect(secret).To(Equal(v1alpha1.Input{Name: "PASSWORD", Type: "password", Secret: true}), "the default of a secret is omitted")

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
