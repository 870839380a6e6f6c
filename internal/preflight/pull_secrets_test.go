package preflight_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preflight"
)

// pullingPod returns a Deployment with an image. The fields are added to the spec of the Pods.
func pullingPod(image, fields string) string {
	return fmt.Sprintf("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {%scontainers: [{name: a, image: %q}]}}}", fields, image)
}

// pullSecret returns a Secret of the chart with an entry for a registry.
func pullSecret(kind, registry string) string {
	config := base64.StdEncoding.EncodeToString([]byte(`{"auths": {"` + registry + `": {"auth": "c2VjcmV0"}}}`))
	return fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: pull}\ntype: %s\ndata: {.dockerconfigjson: %s}", kind, config)
}

func TestPullSecrets(t *testing.T) {
	const named = "imagePullSecrets: [{name: pull}], "
	const private, public = "r.io/team/web:1", "public.io/web:1"
	account := "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: runner}\nimagePullSecrets: [{name: pull}]"
	external := "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: web}\nspec: {target: {name: pull}}"
	entries := func(registries ...string) map[string]*preflight.PullSecret {
		return map[string]*preflight.PullSecret{"pull": {Registries: registries}}
	}
	absent := map[string]*preflight.PullSecret{"pull": nil}
	reported := func(words ...string) []want {
		return []want{{v1alpha1.ReasonRegistryCredentialsRequired, false, words}}
	}
	for _, c := range []struct {
		why, text string
		secrets   map[string]*preflight.PullSecret
		wants     []want
	}{
		{"a Secret that does not exist", pullingPod(private, named), absent, reported("Deployment/web", `registry "r.io"`, `in namespace "team" Secret "pull" not found`,
			"kubectl create secret docker-registry pull --namespace team --docker-server=r.io ")},
		{"a Secret with the registry", pullingPod(private, named), entries("q.io", "r.io"), nil},
		{"a Secret with the repository", pullingPod(private, named), entries("r.io/team"), nil},
		{"a Secret with another repository", pullingPod(private, named), entries("r.io/other"), reported(`Secret "pull" has no entry for the image`)},
		{"a Secret with a pattern", pullingPod("a.r.io/web:1", named), entries("*.r.io"), nil},
		{"a Secret with a pattern of fewer parts", pullingPod("a.b.r.io/web:1", named), entries("*.r.io"), reported("no entry")},
		{"a Secret with another registry", pullingPod(private, named), entries("q.io"), reported(`Secret "pull" has no entry for the image; add the registry to the Secret, or`)},
		{"a Secret of another type", pullingPod(private, named), map[string]*preflight.PullSecret{"pull": {Fault: "has the type"}}, reported(`Secret "pull" has the type`, "; delete it and run kubectl create")},
		{"a Secret that may not be read", pullingPod(private, named), nil, nil},
		{"one of two Secrets", pullingPod(private, "imagePullSecrets: [{name: other}, {name: pull}], "), map[string]*preflight.PullSecret{"other": nil, "pull": {Registries: []string{"r.io"}}}, nil},
		{"none of two Secrets", pullingPod(private, "imagePullSecrets: [{name: other}, {name: pull}], "), map[string]*preflight.PullSecret{"other": nil, "pull": {}},
			reported(`Secret "other" not found, Secret "pull" has no entry for the image`)},
		{"a public image", pullingPod(public, named), absent, nil},
		{"an image of an unknown registry", pullingPod("unknown.io/web:1", named), absent, nil},
		{"an unknown image of a private registry", pullingPod("r.io/team/other:2", named), absent, reported("not found")},
		{"an invalid image", pullingPod("not:an:image", named), absent, nil},
		{"a Pod without Secrets", pullingPod(private, ""), absent, nil},
		{"a Secret of the service account of the chart", account + "\n---\n" + pullingPod(private, "serviceAccountName: runner, "), absent, reported("not found")},
		{"another service account", account + "\n---\n" + pullingPod(private, ""), absent, nil},
		{"a Secret of the chart", pullSecret("kubernetes.io/dockerconfigjson", "https://r.io/v2/") + "\n---\n" + pullingPod(private, named), nil, nil},
		{"a Secret of the chart with another registry", pullSecret("kubernetes.io/dockerconfigjson", "q.io") + "\n---\n" + pullingPod(private, named), nil, reported("no entry")},
		{"a Secret of the chart with another type", pullSecret("Opaque", "r.io") + "\n---\n" + pullingPod(private, named), nil, reported(`has the type "Opaque"`)},
		{"a Secret that another controller creates", external + "\n---\n" + pullingPod(private, named), absent, nil},
		{"an image of Docker Hub", pullingPod("team/private:1", named), absent, reported("--docker-server=https://index.docker.io/v1/")},
	} {
		f, w := newFacts(), newRequest(c.text)
		w.PrivateImages = map[string]bool{private: true, "a.r.io/web:1": true, "a.b.r.io/web:1": true, "docker.io/team/private:1": true}
		w.Platforms = map[string][]string{private: nil, public: nil}
		f.PullSecrets = c.secrets
		problems := slices.DeleteFunc(checkRequest(t, w, f), func(p preflight.Problem) bool { return p.Reason == v1alpha1.ReasonNoKindMatch })
		expectProblems(t, c.why, problems, c.wants...)
	}
}

// TestPullSecretsOfExistingAccounts checks Pods that have the Secrets of a service account that the app does not create.
func TestPullSecretsOfExistingAccounts(t *testing.T) {
	const private = "r.io/team/web:1"
	references := func(names ...string) (all []corev1.LocalObjectReference) {
		for _, name := range names {
			all = append(all, corev1.LocalObjectReference{Name: name})
		}
		return all
	}
	reported := func(words ...string) []want {
		return []want{{v1alpha1.ReasonRegistryCredentialsRequired, false, words}}
	}
	runner := pullingPod(private, "serviceAccountName: runner, ")
	for _, c := range []struct {
		why, text string
		accounts  map[string][]corev1.LocalObjectReference
		secrets   map[string]*preflight.PullSecret
		wants     []want
	}{
		{"a Secret that does not exist", pullingPod(private, ""), map[string][]corev1.LocalObjectReference{"default": references("pull")}, map[string]*preflight.PullSecret{"pull": nil},
			reported(`Secret "pull" of service account "default" not found; run kubectl create secret docker-registry pull`)},
		{"a Secret of another type", runner, map[string][]corev1.LocalObjectReference{"runner": references("pull")}, map[string]*preflight.PullSecret{"pull": {Fault: "has the type"}},
			reported(`Secret "pull" of service account "runner" has the type; delete it and`)},
		{"a Secret with the registry", runner, map[string][]corev1.LocalObjectReference{"runner": references("pull")}, map[string]*preflight.PullSecret{"pull": {Registries: []string{"r.io"}}}, nil},
		{"one of two Secrets", runner, map[string][]corev1.LocalObjectReference{"runner": references("other", "pull")},
			map[string]*preflight.PullSecret{"other": nil, "pull": {Registries: []string{"r.io"}}}, nil},
		{"a Secret for other registries, and nodes can have credentials", runner, map[string][]corev1.LocalObjectReference{"runner": references("pull")},
			map[string]*preflight.PullSecret{"pull": {Registries: []string{"q.io"}}}, nil},
		{"a Secret for other registries, and one that does not exist", runner, map[string][]corev1.LocalObjectReference{"runner": references("pull", "gone")},
			map[string]*preflight.PullSecret{"pull": {Registries: []string{"q.io"}}, "gone": nil}, reported(`in namespace "team" Secret "gone" of service account "runner" not found; run`)},
		{"an account without Secrets", runner, map[string][]corev1.LocalObjectReference{"runner": nil}, nil, nil},
		{"an account that does not exist or may not be read", runner, nil, nil, nil},
		{"a Secret that may not be read", runner, map[string][]corev1.LocalObjectReference{"runner": references("pull")}, nil, nil},
		{"the Secrets of the Pod replace the Secrets of the account", pullingPod(private, "imagePullSecrets: [{name: own}], "),
			map[string][]corev1.LocalObjectReference{"default": references("pull")}, map[string]*preflight.PullSecret{"pull": nil, "own": {Registries: []string{"r.io"}}}, nil},
		{"a public image", pullingPod("public.io/web:1", ""), map[string][]corev1.LocalObjectReference{"default": references("pull")}, map[string]*preflight.PullSecret{"pull": nil}, nil},
	} {
		f, w := newFacts(), newRequest(c.text)
		w.PrivateImages = map[string]bool{private: true}
		f.AccountPullSecrets, f.PullSecrets = c.accounts, c.secrets
		problems := slices.DeleteFunc(checkRequest(t, w, f), func(p preflight.Problem) bool { return p.Reason == v1alpha1.ReasonNoKindMatch })
		expectProblems(t, c.why, problems, c.wants...)
	}
}

func TestPullAccountsToRead(t *testing.T) {
	g := NewWithT(t)
	texts := []string{"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: created}", pullingPod("r.io/web:1", "serviceAccountName: created, "), pullingPod("r.io/web:1", ""),
		pullingPod("q.io/web:1", "serviceAccountName: public, "), pullingPod("r.io/web:1", "serviceAccountName: unused, imagePullSecrets: [{name: pull}], ")}
	for i := range 30 {
		texts = append(texts, pullingPod("r.io/web:1", fmt.Sprintf("serviceAccountName: runner-%d, ", i/2)))
	}
	w := newRequest(strings.Join(texts, "\n---\n"))
	w.PrivateImages = map[string]bool{"r.io/web:1": true}
	requirements, err := preflight.ParseRequest(w)
	g.Expect(err).NotTo(HaveOccurred())
	facts := newFacts()
	g.Expect(requirements.PullAccounts(facts)).To(And(HaveLen(16), HaveExactElements("default", "runner-0", "runner-1", "runner-2", "runner-3", "runner-4", "runner-5", "runner-6", "runner-7",
		"runner-8", "runner-9", "runner-10", "runner-11", "runner-12", "runner-13", "runner-14")))
	facts.AccountPullSecrets = map[string][]corev1.LocalObjectReference{"runner-3": {{Name: "b"}, {Name: ""}, {Name: "b"}, {Name: "pull"}}, "unused": {{Name: "c"}}}
	g.Expect(requirements.PullSecrets(facts)).To(Equal([]string{"b", "pull"}))
}

func TestPullSecretsToRead(t *testing.T) {
	g := NewWithT(t)
	w := newRequest(pullSecret("kubernetes.io/dockerconfigjson", "r.io") + "\n---\n" + pullingPod("r.io/web:1", "imagePullSecrets: [{name: pull}, {name: b}, {name: a}, {name: ''}], "))
	requirements, err := preflight.ParseRequest(w)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(requirements.PullSecrets(newFacts())).To(BeEmpty(), "no image requires credentials")
	w.PrivateImages = map[string]bool{"r.io/web:1": true}
	requirements, err = preflight.ParseRequest(w)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(requirements.PullSecrets(newFacts())).To(Equal([]string{"a", "b"}), "the Secret of the chart is not read")
}

func TestRegistriesOfPullSecrets(t *testing.T) {
	secret := func(kind corev1.SecretType, key, content string) *corev1.Secret {
		return &corev1.Secret{Type: kind, Data: map[string][]byte{key: []byte(content)}}
	}
	for _, c := range []struct {
		why        string
		secret     *corev1.Secret
		fault      string
		registries []string
	}{
		{"docker config", secret(corev1.SecretTypeDockerConfigJson, ".dockerconfigjson", `{"auths": {"https://index.docker.io/v1/": {}}}`), "", []string{"docker.io"}},
		{"old docker config", secret(corev1.SecretTypeDockercfg, ".dockercfg", `{"r.io:5000/team": {}}`), "", []string{"r.io:5000/team"}},
		{"without entries", secret(corev1.SecretTypeDockerConfigJson, ".dockerconfigjson", `{}`), "", nil},
		{"no JSON", secret(corev1.SecretTypeDockerConfigJson, ".dockerconfigjson", `secret`), `has no valid JSON in the key ".dockerconfigjson"`, nil},
		{"no content", &corev1.Secret{Type: corev1.SecretTypeDockercfg}, `has no valid JSON in the key ".dockercfg"`, nil},
		{"another type", secret(corev1.SecretTypeOpaque, ".dockerconfigjson", `{"auths": {"r.io": {}}}`), `has the type "Opaque" instead of kubernetes.io/dockerconfigjson`, nil},
	} {
		t.Run(c.why, func(t *testing.T) {
			NewWithT(t).Expect(preflight.ToPullSecret(c.secret)).To(Equal(preflight.PullSecret{Fault: c.fault, Registries: c.registries}))
		})
	}
}

// TestPullSecretsAreLimited checks many Pods with many Secrets and images.
func TestPullSecretsAreLimited(t *testing.T) {
	g := NewWithT(t)
	var text strings.Builder
	for i := range 300 {
		if i > 0 {
			text.WriteString("\n---\n")
		}
		secrets := ""
		for n := range 30 {
			secrets += fmt.Sprintf("{name: pull-%d-%d}, ", i, n)
		}
		fmt.Fprintf(&text, "apiVersion: v1\nkind: Pod\nmetadata: {name: web-%d}\nspec: {imagePullSecrets: [%s], containers: [{name: a, image: 'r.io/web:1'}]}", i, secrets)
	}
	w := newRequest(text.String())
	w.PrivateImages = map[string]bool{"r.io/web:1": true}
	requirements, err := preflight.ParseRequest(w)
	g.Expect(err).NotTo(HaveOccurred())
	facts := newFacts()
	names := requirements.PullSecrets(facts)
	g.Expect(names).To(HaveLen(20))
	facts.PullSecrets = map[string]*preflight.PullSecret{}
	for _, name := range names {
		facts.PullSecrets[name] = nil
	}
	problems := slices.DeleteFunc(requirements.Check(facts), func(p preflight.Problem) bool { return p.Reason != v1alpha1.ReasonRegistryCredentialsRequired })
	g.Expect(problems).To(HaveLen(1), "the Secrets of other Pods were not read")
	g.Expect(problems[0].Message).To(ContainSubstring("and 15 more"))
}
