package admission

import (
	"errors"
	"io"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
)

// TestRemediesQuoteNames uses names that contain YAML. A remedy must not contain more than
// it appears to, because an administrator applies it.
func TestRemediesQuoteNames(t *testing.T) {
	const another = "\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: x}\n"
	for why, name := range map[string]string{
		"a comment":                  "kube-system #",
		"a mapping":                  "{a: b}",
		"a number":                   "007",
		"a boolean":                  "yes",
		"another document":           another,
		"the line break of Unicode":  strings.ReplaceAll(another, "\n", "\u2028"),
		"the paragraph of Unicode":   strings.ReplaceAll(another, "\n", "\u2029"),
		"a quote and a backslash":    `a"\b`,
		"what is no text in Unicode": "a\xff",
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			tenant := release.Tenant{Namespace: "team", ServiceAccount: name}
			text, err := installTaskYAML(&Operation{Tenant: tenant, AppRef: v1alpha1.AppReference{Source: "main", Name: "shop"}}, name+"-shared")
			g.Expect(err).NotTo(HaveOccurred())
			want := strings.ToValidUTF8(name, "\u00ff") + "-shared"
			objects := decodeDocuments(t, text)
			g.Expect(kindsOf(objects)).To(Equal([]string{"Namespace", "ServiceAccount", "RoleBinding", "AppInstallTask"}))
			g.Expect(objects[0].GetName()).To(Equal(want))
			g.Expect(objects[1].GetNamespace()).To(Equal(want))
			g.Expect(objects[2].GetNamespace()).To(Equal(want))
			task := &v1alpha1.AppInstallTask{}
			g.Expect(runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(objects[3].Object, task, true)).To(Succeed())
			g.Expect(task.Spec.AppRef).To(Equal(v1alpha1.AppReference{Source: "main", Name: "shop", Namespace: "team"}))

			for verb, text := range map[string]string{"uninstall": UninstallRoleYAML(tenant, "other", name), "administer": AdministerRoleYAML(tenant, name)} {
				objects = decodeDocuments(t, text)
				g.Expect(kindsOf(objects)).To(Equal([]string{"Role", "RoleBinding"}))
				rules, _, err := unstructured.NestedSlice(objects[0].Object, "rules")
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(rules).To(ConsistOf(And(
					HaveKeyWithValue("resourceNames", []any{strings.ToValidUTF8(name, "\u00ff")}), HaveKeyWithValue("verbs", []any{verb}))))
				subjects, _, err := unstructured.NestedSlice(objects[1].Object, "subjects")
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(subjects).To(HaveLen(1))
				g.Expect(subjects[0]).To(HaveKeyWithValue("name", strings.ToValidUTF8(name, "\u00ff")))
				g.Expect(subjects[0]).To(HaveKeyWithValue("namespace", "team"))
			}
		})
	}
}

func decodeDocuments(t *testing.T, text string) []unstructured.Unstructured {
	t.Helper()
	var all []unstructured.Unstructured
	for decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096); ; {
		one := unstructured.Unstructured{}
		err := decoder.Decode(&one.Object)
		if errors.Is(err, io.EOF) {
			return all
		}
		NewWithT(t).Expect(err).NotTo(HaveOccurred(), text)
		all = append(all, one)
	}
}

func kindsOf(objects []unstructured.Unstructured) []string {
	var kinds []string
	for i := range objects {
		kinds = append(kinds, objects[i].GetKind())
	}
	return kinds
}
