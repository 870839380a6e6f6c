package platform_test

import (
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/platform"
)

func TestProfiles(t *testing.T) {
	g := NewWithT(t)
	profiles := platform.Profiles{v1alpha1.ProfileHelm: olares.HelmProfile{}, v1alpha1.ProfileOlares: olares.Profile{}}
	source := &v1alpha1.MarketSource{}
	profile, values, err := profiles.ProfileFor(source)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(profile).To(Equal(olares.HelmProfile{}), "the default profile")
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

func TestSystemVersion(t *testing.T) {
	g := NewWithT(t)
	profiles := platform.Profiles{v1alpha1.ProfileHelm: olares.HelmProfile{}, v1alpha1.ProfileOlares: olares.Profile{}}
	source := &v1alpha1.MarketSource{}
	g.Expect(profiles.SystemVersion(source)).To(BeEmpty(), "a plain Helm repository has no platform version")
	source.Spec.Platform = &v1alpha1.Platform{Profile: v1alpha1.ProfileOlares, Values: &runtime.RawExtension{Raw: []byte(`{"sysVersion": "1.12.3"}`)}}
	g.Expect(profiles.SystemVersion(source)).To(Equal("1.12.3"))
}
