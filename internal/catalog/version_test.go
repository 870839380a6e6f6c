package catalog_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
)

// appOf returns an app with the given published and offered versions.
func appOf(published, offered []string) *catalog.App {
	info := &v1alpha1.AppInfo{}
	info.Namespace, info.Name, info.Spec.App = "market", "main.web", "web"
	for _, v := range published {
		info.Status.Versions = append(info.Status.Versions, v1alpha1.PublishedVersion{Version: v})
	}
	for _, v := range append(offered, published...) {
		info.Spec.Offers = append(info.Spec.Offers, v1alpha1.Offer{Version: v})
	}
	return &catalog.App{Source: &v1alpha1.MarketSource{}, Info: info}
}

func TestVersion(t *testing.T) {
	stable := []string{"3.0.0-rc.1", "2.1.0", "2.0.0", "1.9.0"}
	for _, c := range []struct {
		why        string
		published  []string
		constraint string
		want       string
	}{
		{"the newest that is stable", stable, "", "2.1.0"},
		{"of prereleases only the newest of them", []string{"1.0.0-beta", "1.0.0-rc.1", "1.0.0-alpha"}, "", "1.0.0-rc.1"},
		{"whatever the order", []string{"1.9.0", "1.10.0", "1.2.0"}, "", "1.10.0"},
		{"an exact one", stable, "2.0.0", "2.0.0"},
		{"an exact prerelease", stable, "3.0.0-rc.1", "3.0.0-rc.1"},
		{"an exact one by its text, build and all", []string{"1.0.0+b", "1.0.0+a"}, "1.0.0+a", "1.0.0+a"},
		{"an exact one, whatever its build", []string{"1.0.0+b"}, "1.0.0", "1.0.0+b"},
		{"an exact one that is written otherwise", []string{"v1.2.0"}, "1.2.0", "v1.2.0"},
		{"the newest of a range", stable, "^2.0.0", "2.1.0"},
		{"the newest below", stable, "<2.0.0", "1.9.0"},
		{"a part of a version", stable, "2.0", "2.0.0"},
		{"any", stable, "*", "2.1.0"},
		{"a range that lets prereleases in", stable, ">=2.0.0-0", "3.0.0-rc.1"},
		{"two ranges", stable, "<2.0.0 || >=2.1.0", "2.1.0"},
		{"what is no version is left out", []string{"latest", "1.0.0"}, "", "1.0.0"},
		{"unless it is asked for by name", []string{"latest", "1.0.0"}, "latest", "latest"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			got, err := appOf(c.published, nil).FindVersion(c.constraint, "spec.version")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got.Version).To(Equal(c.want))
		})
	}
}

func TestVersionIsTheObjectsOwn(t *testing.T) {
	g := NewWithT(t)
	app := appOf([]string{"1.0.0"}, nil)
	got, err := app.FindVersion("", "spec.version")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(got).To(BeIdenticalTo(&app.Info.Status.Versions[0]))
}

func TestVersionRefuses(t *testing.T) {
	for _, c := range []struct {
		why        string
		published  []string
		offered    []string
		constraint string
		reason     string
		waits      bool
		says       string
	}{
		{"nothing is published yet", nil, []string{"1.0.0"}, "", v1alpha1.ReasonWaitingForApp, true, "no published version yet"},
		{"nothing is published yet, of a range", nil, []string{"1.0.0"}, "^2", v1alpha1.ReasonWaitingForApp, true, "no published version yet"},
		{"one is offered and comes", []string{"1.0.0"}, []string{"2.0.0"}, "^2.0.0", v1alpha1.ReasonWaitingForApp, true, "has no published version that matches "},
		{"the exact one is offered and comes", []string{"1.0.0"}, []string{"2.0.0-rc.1"}, "2.0.0-rc.1", v1alpha1.ReasonWaitingForApp, true, "has no published version that matches "},
		{"there is none", []string{"1.1.0", "1.0.0"}, nil, "^2.0.0", v1alpha1.ReasonVersionNotFound, false, `spec.version: app "web" has no version that matches "^2.0.0"; use another version, the latest is 1.1.0`},
		{"the latest is a prerelease", []string{"1.2.0-rc.1", "1.1.0"}, nil, "9.9.9", v1alpha1.ReasonVersionNotFound, false, "the latest is 1.1.0"},
		{"a prerelease is not asked for", []string{"2.0.0-rc.1"}, nil, "^2.0.0", v1alpha1.ReasonVersionNotFound, false, "2.0.0-rc.1"},
		{"words", []string{"1.0.0"}, nil, "the newest", v1alpha1.ReasonInvalidSpec, false, `spec.version: Invalid value: "the newest": must be a version (1.2.3) or a range`},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			got, err := appOf(c.published, c.offered).FindVersion(c.constraint, "spec.version")
			g.Expect(got).To(BeNil())
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason), "%v", err)
			after, waits := outcome.IsWaiting(err)
			g.Expect(waits).To(Equal(c.waits))
			g.Expect(after).To(Equal(time.Duration(0)), "a watch of the app brings the object back")
			g.Expect(outcome.IsStalled(err)).To(Equal(!c.waits))
			g.Expect(err).To(MatchError(ContainSubstring(c.says)))
		})
	}
}

func TestVersionOfAnAppThatIsHydrated(t *testing.T) {
	condition := func(kind, reason, message string, generation int64) metav1.Condition {
		return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: message, ObservedGeneration: generation}
	}
	for _, c := range []struct {
		why        string
		published  []string
		conditions []metav1.Condition
		reason     string
		isFinal    bool
		says       string
	}{
		{"nothing has begun", nil, nil, v1alpha1.ReasonWaitingForApp, false, `app "web" has no published version yet: its hydration has not started`},
		{"a retry is quoted", nil, []metav1.Condition{condition("Reconciling", "ProgressingWithRetry", "version 2.0.0: timeout", 1)},
			v1alpha1.ReasonWaitingForApp, false, `app "web" has no published version yet: version 2.0.0: timeout`},
		{"a suspended app is quoted", nil, []metav1.Condition{condition("Ready", "Suspended", "suspended by spec.suspend", 1)},
			v1alpha1.ReasonWaitingForApp, false, `app "web" has no published version yet: suspended by spec.suspend`},
		{"a failure for good ends the wait", nil, []metav1.Condition{condition("Stalled", "FetchFailed", "version 2.0.0: an OCI registry", 1)},
			v1alpha1.ReasonFetchFailed, true, `app "web" has no published version; its hydration is stalled: version 2.0.0: an OCI registry`},
		{"so it does for a version that is only offered", []string{"1.0.0"}, []metav1.Condition{condition("Stalled", "InvalidChart", "version 2.0.0: no Chart.yaml", 1)},
			v1alpha1.ReasonInvalidChart, true, `app "web" has no published version that matches "^2.0.0"; its hydration is stalled: version 2.0.0: no Chart.yaml`},
		{"a failure of an earlier spec does not", nil, []metav1.Condition{condition("Stalled", "FetchFailed", "gone", 0)},
			v1alpha1.ReasonWaitingForApp, false, `app "web" has no published version yet: its hydration has not started`},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			app := appOf(c.published, []string{"2.0.0"})
			app.Info.Generation, app.Info.Status.Conditions = 1, c.conditions
			_, err := app.FindVersion("^2.0.0", "spec.version")
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason))
			g.Expect(outcome.IsStalled(err)).To(Equal(c.isFinal))
			g.Expect(err).To(MatchError(c.says))
		})
	}
}

func TestNewer(t *testing.T) {
	for _, c := range []struct {
		why           string
		version, than string
		want          bool
	}{
		{"a minor", "1.10.0", "1.9.0", true},
		{"the same", "1.0.0", "1.0.0", false},
		{"an older one", "1.0.0", "1.0.1", false},
		{"a release over its candidate", "1.0.0", "1.0.0-rc.1", true},
		{"a candidate over its release", "1.0.0-rc.1", "1.0.0", false},
		{"another build", "1.0.0+b", "1.0.0+a", false},
		{"over what is no version", "1.0.0", "latest", true},
		{"what is no version", "latest", "1.0.0", false},
		{"over nothing", "1.0.0", "", true},
		{"nothing", "", "", false},
	} {
		t.Run(c.why, func(t *testing.T) {
			NewWithT(t).Expect(catalog.IsNewer(c.version, c.than)).To(Equal(c.want))
		})
	}
}
