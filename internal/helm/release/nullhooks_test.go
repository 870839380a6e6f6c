package release_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/helm/helmtest"
	plain "github.com/appmarket/operator/internal/release"
)

// TestNullsInHooks uses hooks with nulls, which Helm creates in its own goroutines.
func TestNullsInHooks(t *testing.T) {
	account := func(lists string) string {
		return "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: init, annotations: {helm.sh/hook: \"pre-install,pre-upgrade,pre-delete\"}}\n" + lists
	}
	job := func(before, after string) string {
		text := hookJob("init", "pre-install,pre-upgrade")
		if !strings.Contains(text, before) {
			t.Fatalf("%q is not in %s", before, text)
		}
		return strings.Replace(text, before, after, 1)
	}
	for _, one := range []struct {
		why, hook, want string
	}{
		{why: "stray dashes in lists", hook: account("imagePullSecrets: [null]\nsecrets: [null, null]\n")},
		{why: "a list that is null", hook: account("imagePullSecrets: null\n")},
		{why: "labels that are null", hook: strings.Replace(account(""), "{name: init,", "{labels: null, name: init,", 1)},
		{why: "a container that is null", hook: job("{name: a, image: b}", "null"),
			want: "spec.template.spec.containers[0].name: Required value"},
		{why: "a spec that is null", hook: strings.SplitAfter(job("spec:", "spec: null\n"), "spec: null\n")[0],
			want: "spec.template.spec.containers: Required value"},
		{why: "a list of hooks that is null", hook: "apiVersion: v1\nkind: List\nmetadata: {annotations: {helm.sh/hook: \"pre-install,pre-upgrade\"}}\nitems: [null]\n",
			want: "is missing"},
	} {
		t.Run(one.why, func(t *testing.T) {
			c, _ := helmtest.NewClient(t)
			g := NewWithT(t)
			s := helmtest.NewSpec(map[string]string{"hook.yaml": one.hook, "cm.yaml": helmtest.ConfigMap})
			_, err := c.Install(t.Context(), s)
			if one.want != "" {
				g.Expect(err).To(MatchError(ContainSubstring(one.want)))
				_, err = c.Upgrade(t.Context(), s)
				g.Expect(err).To(MatchError(ContainSubstring(one.want)))
				g.Expect(c.Uninstall(t.Context(), plain.Removal{Name: "blog"})).To(Succeed())
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			_, err = c.Upgrade(t.Context(), s)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(c.Uninstall(t.Context(), plain.Removal{Name: "blog"})).To(Succeed())
		})
	}
}

// TestNullHooksInRecords replaces the hooks in a record, as a tenant can.
func TestNullHooksInRecords(t *testing.T) {
	for _, one := range []struct{ why, forged, want string }{
		{why: "a hook that is null", forged: `"hooks":[null,`, want: `read release "blog": read record of revision 1 of release "blog": a hook is empty`},
		{why: "a hook without anything", forged: `"hooks":[{},`},
		{why: "a hook whose manifest is null", forged: `"hooks":[{"name":"x","kind":"Job","manifest":"null","events":["pre-delete"]},`},
	} {
		t.Run(one.why, func(t *testing.T) {
			c, namespace := helmtest.NewClient(t)
			g := NewWithT(t)
			hook := "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: init, annotations: {helm.sh/hook: pre-install}}\n"
			s := helmtest.NewSpec(map[string]string{"hook.yaml": hook, "cm.yaml": helmtest.ConfigMap})
			_, err := c.Install(t.Context(), s)
			g.Expect(err).NotTo(HaveOccurred())
			forgeRecord(t, namespace, `"hooks":[`, one.forged)
			for _, err := range []error{
				c.CancelRelease(t.Context(), "blog"), c.Unlock(t.Context(), "blog"), c.Uninstall(t.Context(), plain.Removal{Name: "blog"}),
			} {
				if one.want == "" {
					g.Expect(err).NotTo(HaveOccurred())
				} else {
					g.Expect(err).To(MatchError(one.want))
				}
			}
		})
	}
}
