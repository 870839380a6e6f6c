package installplan

import (
	"os"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/impersonation"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/test/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// tenantFixture is a namespace with one service account that may read objects and one that may not.
type tenantFixture struct {
	server    *testenv.Env
	namespace string
}

func newTenantFixture(t *testing.T) tenantFixture {
	t.Helper()
	r := tenantFixture{server: testenv.Start(t)}
	r.namespace = r.server.Namespace(t, nil)
	r.server.Allow(t, r.namespace, "reader", rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"secrets", "configmaps"}, Verbs: []string{"get"},
	})
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: r.namespace, Name: name} }
	r.server.Create(t,
		&corev1.ConfigMap{ObjectMeta: meta("base"), Data: map[string]string{
			"values.yaml": "image: {tag: base, pull: Always}\nreplicas: 1\nlist: [a, b]\n", "list.yaml": "[a]\n", "broken.yaml": "a: b: c\n",
		}},
		&corev1.Secret{ObjectMeta: meta("top"), StringData: map[string]string{
			"values.yaml": "image: {tag: top}\npassword: hunter2\n", "key": "hunter2",
			"alias.yaml": "password: *hunter2\n", "quote.yaml": "password: \"hunter2\n", "plain.yaml": "hunter2",
		}})
	return r
}

// resolveSources resolves a plan with the permissions of a service account.
func (r tenantFixture) resolveSources(t *testing.T, account string, given ValueSources) (*Plan, error) {
	t.Helper()
	planner := &Planner{
		Objects: r.server.Client,
		Tenants: &impersonation.Clients{Config: r.server.Config, Mapper: r.server.Mapper, Scheme: r.server.Scheme},
	}
	return planner.Resolve(t.Context(), Request{Tenant: release.Tenant{Namespace: r.namespace, ServiceAccount: account}, Sources: given})
}

func valuesRef(kind v1alpha1.ValuesKind, name, key string) v1alpha1.ValuesReference {
	return v1alpha1.ValuesReference{Kind: kind, Name: name, Key: key}
}

func makeOptional(ref v1alpha1.ValuesReference) v1alpha1.ValuesReference {
	yes := true
	ref.Optional = &yes
	return ref
}

func rawExtension(text string) *runtime.RawExtension { return &runtime.RawExtension{Raw: []byte(text)} }

const (
	secret = v1alpha1.ValuesFromSecret
	config = v1alpha1.ValuesFromConfigMap
)

func secretKey(name, key string) v1alpha1.InputValue {
	return v1alpha1.InputValue{Name: "A", ValueFrom: &v1alpha1.InputValueSource{SecretKeyRef: &v1alpha1.KeyReference{Name: name, Key: key}}}
}

func configKey(name, key string) v1alpha1.InputValue {
	return v1alpha1.InputValue{Name: "B", ValueFrom: &v1alpha1.InputValueSource{ConfigMapKeyRef: &v1alpha1.KeyReference{Name: name, Key: key}}}
}

func TestResolve(t *testing.T) {
	r := newTenantFixture(t)
	text := "plain"
	empty := ""
	for _, c := range []struct {
		why    string
		given  ValueSources
		values map[string]any
		envs   map[string]string
	}{
		{why: "nothing", values: map[string]any{}},
		{why: "values", given: ValueSources{Values: rawExtension(`{"a": 1, "b": null}`)}, values: map[string]any{"a": 1.0, "b": nil}},
		{
			why: "in order, and values over all", given: ValueSources{
				ValuesFrom: []v1alpha1.ValuesReference{valuesRef(config, "base", "values.yaml"), valuesRef(secret, "top", "values.yaml")},
				Values:     rawExtension(`{"replicas": 3, "list": ["c"]}`),
			},
			values: map[string]any{"image": map[string]any{"tag": "top", "pull": "Always"}, "replicas": 3.0, "list": []any{"c"}, "password": "hunter2"},
		},
		{
			why: "in the other order", given: ValueSources{ValuesFrom: []v1alpha1.ValuesReference{valuesRef(secret, "top", "values.yaml"), valuesRef(config, "base", "values.yaml")}},
			values: map[string]any{"image": map[string]any{"tag": "base", "pull": "Always"}, "replicas": 1.0, "list": []any{"a", "b"}, "password": "hunter2"},
		},
		{
			why: "null removes what lies below, to the chart's own", given: ValueSources{
				ValuesFrom: []v1alpha1.ValuesReference{valuesRef(config, "base", "values.yaml")}, Values: rawExtension(`{"image": null, "replicas": null, "list": null}`),
			},
			values: map[string]any{"image": nil, "replicas": nil, "list": nil},
		},
		{
			why: "what may be missing is passed over", given: ValueSources{ValuesFrom: []v1alpha1.ValuesReference{
				makeOptional(valuesRef(secret, "none", "values.yaml")), makeOptional(valuesRef(config, "none", "values.yaml")), makeOptional(valuesRef(config, "base", "none")),
			}},
			values: map[string]any{},
		},
		{
			why: "inputs", given: ValueSources{Envs: []v1alpha1.InputValue{
				secretKey("top", "key"), configKey("base", "list.yaml"), {Name: "C", Value: &text}, {Name: "D", Value: &empty},
			}},
			values: map[string]any{}, envs: map[string]string{"A": "hunter2", "B": "[a]\n", "C": "plain", "D": ""},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			plan, err := r.resolveSources(t, "reader", c.given)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(plan.settings.values).To(Equal(c.values))
			if c.envs == nil {
				c.envs = map[string]string{}
			}
			g.Expect(plan.settings.inputs).To(Equal(c.envs))
		})
	}
}

func TestResolveRefuses(t *testing.T) {
	r := newTenantFixture(t)
	values := func(refs ...v1alpha1.ValuesReference) ValueSources {
		return ValueSources{ValuesFrom: refs}
	}
	for _, c := range []struct {
		why     string
		account string
		given   ValueSources
		reason  string
		says    string
	}{
		{"no such Secret", "reader", values(valuesRef(secret, "none", "values.yaml")), v1alpha1.ReasonReferenceNotFound, `spec.valuesFrom: Secret "none" not found in namespace`},
		{"no such ConfigMap", "reader", values(valuesRef(config, "none", "values.yaml")), v1alpha1.ReasonReferenceNotFound, `spec.valuesFrom: ConfigMap "none" not found`},
		{"no such key", "reader", values(valuesRef(secret, "top", "none")), v1alpha1.ReasonReferenceNotFound, `has no key "none"; add the key`},
		{"an input of no such Secret", "reader", ValueSources{Envs: []v1alpha1.InputValue{secretKey("none", "key")}}, v1alpha1.ReasonReferenceNotFound, `spec.inputs["A"]`},
		{"an input of an instance", "reader", ValueSources{
			Envs: []v1alpha1.InputValue{secretKey("none", "key")}, Path: "spec.upgrade", Inherited: []string{InputField("A")}, Instance: "web",
		}, v1alpha1.ReasonReferenceNotFound, `spec.inputs["A"] of instance "web": Secret "none" not found`},
		{"values of a task that inherits an input", "reader", ValueSources{
			ValuesFrom: []v1alpha1.ValuesReference{valuesRef(secret, "none", "values.yaml")}, Path: "spec.upgrade", Inherited: []string{InputField("A")}, Instance: "web",
		}, v1alpha1.ReasonReferenceNotFound, `spec.upgrade.valuesFrom: Secret "none" not found`},
		{"an input of no such key", "reader", ValueSources{Envs: []v1alpha1.InputValue{configKey("base", "none")}}, v1alpha1.ReasonReferenceNotFound, `spec.inputs["B"]`},
		{"a Secret one may not read", "stranger", values(valuesRef(secret, "top", "values.yaml")), v1alpha1.ReasonPermissionDenied, "service account \"stranger\" cannot get Secret \"top\""},
		{"a Secret one may not read, which may be missing", "stranger", values(makeOptional(valuesRef(secret, "top", "values.yaml"))), v1alpha1.ReasonPermissionDenied, "cannot get"},
		{"a Secret that is not there and one may not read", "stranger", values(valuesRef(secret, "none", "values.yaml")), v1alpha1.ReasonPermissionDenied, "cannot get"},
		{"an input one may not read", "stranger", ValueSources{Envs: []v1alpha1.InputValue{configKey("base", "list.yaml")}}, v1alpha1.ReasonPermissionDenied, "cannot get ConfigMap \"base\""},
		{"values that are no YAML", "reader", values(valuesRef(config, "base", "broken.yaml")), v1alpha1.ReasonInvalidValues, `spec.valuesFrom (key "broken.yaml" of ConfigMap "base"): `},
		{"values that are a list", "reader", values(valuesRef(config, "base", "list.yaml")), v1alpha1.ReasonInvalidValues, `spec.valuesFrom (key "list.yaml" of ConfigMap "base"): `},
		{"own values that are a list", "reader", ValueSources{Values: rawExtension("[1]")}, v1alpha1.ReasonInvalidValues, "spec.values"},
		{"a Secret with an alias of nothing", "reader", values(valuesRef(secret, "top", "alias.yaml")), v1alpha1.ReasonInvalidValues, "key \"alias.yaml\" of Secret \"top\""},
		{"a Secret with a text that has no end", "reader", values(valuesRef(secret, "top", "quote.yaml")), v1alpha1.ReasonInvalidValues, "key \"quote.yaml\" of Secret \"top\""},
		{"a Secret that is a text", "reader", values(valuesRef(secret, "top", "plain.yaml")), v1alpha1.ReasonInvalidValues, "key \"plain.yaml\" of Secret \"top\""},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			_, err := r.resolveSources(t, c.account, c.given)
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason), "%v", err)
			// The operator is not notified when a missing object or permission is added.
			g.Expect(outcome.IsStalled(err)).To(Equal(c.reason == v1alpha1.ReasonInvalidValues), "%v", err)
			g.Expect(err).To(MatchError(ContainSubstring(c.says)))
			g.Expect(err).NotTo(MatchError(ContainSubstring("hunter2")), "a message is no place for a secret")
		})
	}
}
