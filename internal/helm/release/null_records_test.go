package release_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

func TestNullsInRecordsAndManifests(t *testing.T) {
	pod := func(text string) string { return fmt.Sprintf(podChart, text) }
	cases := []struct {
		why             string
		recorded, edits string // a replacement in the record
		present         bool   // a Deployment of the release exists without a record
		install, then   string
		want            string // substring of the error, if any
	}{
		{
			why:      "a record whose containers are null",
			recorded: "[{name: a, image: a}]", edits: "[null]",
			install: pod("{containers: [{name: a, image: a}]}"), then: pod("{containers: [{name: a, image: b}]}"),
		}, {
			why:      "a record whose containers are a number",
			recorded: "[{name: a, image: a}]", edits: "1",
			install: pod("{containers: [{name: a, image: a}]}"), then: pod("{containers: [{name: a, image: b}]}"),
		}, {
			why: "an object that is there, and a null in a list that it does not have", present: true,
			install: pod("{containers: [{name: a, image: a}], imagePullSecrets: [null]}"), then: pod("{containers: [{name: a, image: b}], imagePullSecrets: [null]}"),
		}, {
			why:     "containers that are null",
			install: pod("{containers: [{name: a, image: a}]}"), then: pod("{containers: [null]}"),
			want: `Deployment.apps "a" is invalid: [spec.template.spec.containers[0].name: Required value, spec.template.spec.containers[0].image: Required value]`,
		}, {
			why:     "a list of objects that is null",
			install: pod("{containers: [{name: a, image: a}]}"), then: "apiVersion: v1\nkind: List\nitems: [null]\n",
			want: "is missing",
		},
	}
	for _, one := range cases {
		t.Run(one.why, func(t *testing.T) {
			c, namespace := helmtest.NewClient(t)
			g := NewWithT(t)
			ctx := t.Context()
			if one.present {
				_, err := c.Install(ctx, helmtest.NewSpec(map[string]string{"a.yaml": pod("{containers: [{name: a, image: a}]}")}))
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(helmtest.Server.Admin.CoreV1().Secrets(namespace).Delete(ctx, "sh.helm.release.v1.blog.v1", metav1.DeleteOptions{})).To(Succeed())
			}
			_, err := c.Install(ctx, helmtest.NewSpec(map[string]string{"a.yaml": one.install}))
			g.Expect(err).NotTo(HaveOccurred())
			if one.recorded != "" {
				forgeRecord(t, namespace, one.recorded, one.edits)
			}
			_, err = c.Upgrade(ctx, helmtest.NewSpec(map[string]string{"a.yaml": one.then}))
			if one.want != "" {
				g.Expect(err).To(MatchError(ContainSubstring(one.want)))
			} else {
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(c.Drift(ctx, "blog")).To(BeEmpty())
			}
		})
	}
}

// forgeRecord replaces a text in the record of revision 1, as its tenant may.
func forgeRecord(t testing.TB, namespace, before, after string) {
	t.Helper()
	g := NewWithT(t)
	secrets := helmtest.Server.Admin.CoreV1().Secrets(namespace)
	record, err := secrets.Get(t.Context(), "sh.helm.release.v1.blog.v1", metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	packed, err := base64.StdEncoding.DecodeString(string(record.Data["release"]))
	g.Expect(err).NotTo(HaveOccurred())
	from, err := gzip.NewReader(bytes.NewReader(packed))
	g.Expect(err).NotTo(HaveOccurred())
	text, err := io.ReadAll(from)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(text)).To(ContainSubstring(before))
	var out bytes.Buffer
	to := gzip.NewWriter(&out)
	_, err = to.Write(bytes.ReplaceAll(text, []byte(before), []byte(after)))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(to.Close()).To(Succeed())
	record.Data["release"] = []byte(base64.StdEncoding.EncodeToString(out.Bytes()))
	_, err = secrets.Update(t.Context(), record, metav1.UpdateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
}
