package preflight_test

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preflight"
)

// attemptTexts returns the objects of a request for which a dry run is requested, in the form
// "namespace/kind/name".
func attemptTexts(t *testing.T, w preflight.Request, f *preflight.Facts) []string {
	t.Helper()
	requirements, err := preflight.ParseRequest(w)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	var all []string
	for _, a := range requirements.Attempts(f) {
		all = append(all, fmt.Sprintf("%s/%s/%s", a.Namespace, a.Kind.Kind, a.Name))
	}
	return all
}

func TestAttempts(t *testing.T) {
	g := NewWithT(t)
	elsewhere := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: far, namespace: other}"
	w := newRequest(strings.Join([]string{
		configMap("a"), elsewhere, "apiVersion: v1\nkind: Namespace\nmetadata: {name: extra}", "apiVersion: v1\nkind: Namespace\nmetadata: {name: team}",
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: wrong, labels: {a: 1}}", "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: some-}",
		"apiVersion: absent.example.com/v1\nkind: Odd\nmetadata: {name: odd}",
		"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: kept}", "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: new}",
	}, "\n---\n"))
	w.Retained = []v1alpha1.ObjectReference{{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: "team", Name: "kept"}}
	g.Expect(attemptTexts(t, w, newFacts())).To(Equal([]string{"team/ConfigMap/a", "other/ConfigMap/far", "/Namespace/extra", "team/PersistentVolumeClaim/new"}))

	f := newFacts()
	f.Missing = []preflight.Need{{Namespace: "other"}, {Namespace: ""}}
	g.Expect(attemptTexts(t, w, f)).To(Equal([]string{"team/ConfigMap/a", "team/PersistentVolumeClaim/new"}), "not where rights are missing")

	w.Existing = []v1alpha1.ObjectReference{{APIVersion: "v1", Kind: "ConfigMap", Namespace: "team", Name: "a"}, {APIVersion: "v1", Kind: "Namespace", Name: "extra"}}
	g.Expect(attemptTexts(t, w, newFacts())).To(Equal([]string{"other/ConfigMap/far", "team/PersistentVolumeClaim/new"}), "not what the instance has already")

	w.Units[0].Provisional = true
	g.Expect(attemptTexts(t, w, newFacts())).To(BeEmpty(), "not what a template that asks for objects may leave out")

	w.Units[0].Provisional, w.RightsOnly = false, true
	g.Expect(attemptTexts(t, w, newFacts())).To(BeEmpty())

	var many []string
	for i := range 300 {
		many = append(many, configMap(fmt.Sprintf("c-%d", i)))
	}
	g.Expect(attemptTexts(t, newRequest(strings.Join(many, "\n---\n")), newFacts())).To(HaveLen(200))
}

func TestAnswers(t *testing.T) {
	hook := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-install}}"
	w := newRequest(strings.Join([]string{configMap("a"), configMap("b"), configMap("c"), hook}, "\n---\n"))
	w.Units[0].Release = "shop"
	exists := func(release, namespace string) preflight.Answer {
		return preflight.Answer{Exists: true, Release: release, Namespace: namespace}
	}
	none := preflight.Answer{}
	for _, c := range []struct {
		why     string
		answers []preflight.Answer
		wants   []want
	}{
		{"all can be created", []preflight.Answer{none, none, none, none}, nil},
		{"its own", []preflight.Answer{exists("shop", "team"), none, none, none}, nil},
		{"a hook is replaced", []preflight.Answer{none, none, none, exists("", "")}, nil},
		{"of no release", []preflight.Answer{exists("", ""), none, none, none}, []want{{v1alpha1.ReasonObjectExists, true,
			[]string{"ConfigMap/a already exists and is not managed by Helm; delete it, or use another name for the instance"}}}},
		{"of another release", []preflight.Answer{none, exists("blog", "team"), none, none}, []want{{v1alpha1.ReasonObjectExists, true,
			[]string{`ConfigMap/b already exists and is managed by Helm release "blog"; the app can be installed once in a namespace under these names: use another namespace`}}}},
		{"of the same name elsewhere", []preflight.Answer{none, exists("shop", "other"), none, none}, []want{{v1alpha1.ReasonObjectExists, true,
			[]string{`ConfigMap/b already exists and is managed by Helm release "shop" in namespace "other"; the app can be installed once in a namespace under these names: use another namespace`}}}},
		{"several", []preflight.Answer{exists("", ""), exists("blog", "team"), exists("", ""), none}, []want{
			{v1alpha1.ReasonObjectExists, true, []string{"ConfigMap/a, ConfigMap/c already exist and are not managed by Helm; delete them"}},
			{v1alpha1.ReasonObjectExists, true, []string{"ConfigMap/b already exists"}}}},
		{"refused", []preflight.Answer{{Refusal: preflight.RefusalMessage([]string{"data: too long", "b: c", "d: e"})}, none, none, none}, []want{{v1alpha1.ReasonInvalidObject, true,
			[]string{"ConfigMap/a: data: too long; b: c (and 1 more error); correct the values"}}}},
	} {
		f := newFacts()
		f.Answers = c.answers
		expectProblems(t, c.why, checkRequest(t, w, f), c.wants...)
	}

}

func TestReleases(t *testing.T) {
	w := newRequest(configMap("a"))
	w.Units[0].Release = "shop"
	adopting := preflight.Request{Tenant: w.Tenant, Instance: "shop", App: "web", RightsOnly: true, Adopted: []string{"shop"}, Replaces: true}
	for _, c := range []struct {
		why     string
		request preflight.Request
		records map[string]preflight.Record
		reason  string
		words   string
	}{
		{"none is there", w, map[string]preflight.Record{}, "", ""},
		{"records cannot be read", w, nil, "", ""},
		{"one of the helm command", w, map[string]preflight.Record{"shop": {Status: "deployed"}}, v1alpha1.ReasonAlreadyInstalled, `Helm release "shop" already exists in namespace "team"; adopt it`},
		{"one that failed", w, map[string]preflight.Record{"shop": {Status: "failed"}}, v1alpha1.ReasonAlreadyInstalled, `Helm release "shop" already exists`},
		{"one that was removed", w, map[string]preflight.Record{"shop": {Status: "uninstalled"}}, "", ""},
		{"its own", w, map[string]preflight.Record{"shop": {Status: "failed", Instance: "shop"}}, "", ""},
		{"another instance's", w, map[string]preflight.Record{"shop": {Status: "deployed", Instance: "other"}}, v1alpha1.ReasonAlreadyInstalled, `belongs to instance "other"`},
		{"adopt nothing", adopting, map[string]preflight.Record{}, v1alpha1.ReasonAdoptFailed, `Helm release "shop" not found in namespace "team"; use action Install`},
		{"adopt what was removed", adopting, map[string]preflight.Record{"shop": {Status: "uninstalled"}}, v1alpha1.ReasonAdoptFailed, `Helm release "shop" not found`},
		{"adopt a deployed release", adopting, map[string]preflight.Record{"shop": {Status: "deployed"}}, "", ""},
		{"adopt what failed", adopting, map[string]preflight.Record{"shop": {Status: "failed"}}, v1alpha1.ReasonAdoptFailed, `has status "failed" and cannot be adopted`},
		{"adopt another instance's", adopting, map[string]preflight.Record{"shop": {Status: "deployed", Instance: "other"}}, v1alpha1.ReasonAdoptFailed, `belongs to instance "other"`},
	} {
		f := newFacts()
		f.Records = c.records
		if c.reason == "" {
			expectProblems(t, c.why, checkRequest(t, c.request, f))
			continue
		}
		expectProblems(t, c.why, checkRequest(t, c.request, f), want{c.reason, true, []string{c.words}})
	}
}

func TestAccountsOfHooks(t *testing.T) {
	job := func(moment, weight, account string) string {
		return fmt.Sprintf("apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, annotations: {helm.sh/hook: %q, helm.sh/hook-weight: %q}}\n"+
			"spec: {template: {spec: {serviceAccountName: %s, containers: [{name: a, image: a}]}}}", moment, weight, account)
	}
	account := func(annotations string) string {
		return "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: migrator, annotations: {" + annotations + "}}"
	}
	const notFound = `Job/migrate: service account "migrator" of the pre-install hook not found in namespace "team"`
	for _, c := range []struct{ why, text, words string }{
		{"an account that notFound creates", job("pre-install", "0", "migrator"), notFound},
		{"the one of every namespace", job("pre-install", "0", "default"), ""},
		{"none", job("pre-install", "0", "''"), ""},
		{"one that the chart creates afterwards", job("pre-install", "0", "migrator") + "\n---\n" + account(""), "is created only after the hook has run"},
		{"one that the chart creates before", job("post-install", "0", "migrator") + "\n---\n" + account(""), ""},
		{"a hook of both moments", job("pre-install, post-install", "0", "migrator") + "\n---\n" + account(""), "the pre-install and post-install hook"},
		{"a hook of lower weight", job("pre-install", "1", "migrator") + "\n---\n" + account("helm.sh/hook: pre-install, helm.sh/hook-weight: '0'"), ""},
		{"a hook of higher weight", job("pre-install", "1", "migrator") + "\n---\n" + account("helm.sh/hook: pre-install, helm.sh/hook-weight: '5'"), "is created only after the hook has run"},
		{"a hook of an earlier moment", job("post-install", "-1", "migrator") + "\n---\n" + account("helm.sh/hook: pre-install, helm.sh/hook-weight: '5'"), ""},
		{"a hook of a later moment", job("pre-install", "5", "migrator") + "\n---\n" + account("helm.sh/hook: post-install"), "is created only after the hook has run"},
		{"a moment of another operation", job("pre-delete", "0", "migrator"), ""},
		{"a hook in another namespace", strings.Replace(job("pre-install", "0", "migrator"), "name: migrate,", "name: migrate, namespace: other,", 1), ""},
	} {
		w := newRequest(c.text)
		w.HookEvents = []string{"pre-install", "post-install"}
		if c.words == "" {
			expectProblems(t, c.why, checkRequest(t, w, newFacts()))
			continue
		}
		expectProblems(t, c.why, checkRequest(t, w, newFacts()), want{v1alpha1.ReasonServiceAccountNotFound, c.words != notFound, []string{c.words}})
		f := newFacts()
		f.Accounts = map[string]bool{"migrator": true}
		expectProblems(t, c.why+", which exists", checkRequest(t, w, f))
	}
	both := newRequest("")
	both.HookEvents = []string{"pre-install"}
	both.Units = []preflight.Unit{newUnit("first", "first/templates/a.yaml", account("")), newUnit("second", "second/templates/a.yaml", job("pre-install", "0", "migrator"))}
	expectProblems(t, "a chart that is installed earlier", checkRequest(t, both, newFacts()))
}
