package pages_test

import (
	"net/http"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// putSecret replaces the Secret wiki-inputs.
func (w formWorld) putSecret(t *testing.T, labels, texts map[string]string) {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.tenant, Name: "wiki-inputs", Labels: labels}, StringData: texts}
	NewWithT(t).Expect(client.IgnoreNotFound(w.Client.Delete(t.Context(), secret.DeepCopy()))).To(Succeed())
	w.Create(t, secret)
}

// secretTexts returns the content of the Secret wiki-inputs.
func (w formWorld) secretTexts(t *testing.T) map[string]string {
	t.Helper()
	secret := &corev1.Secret{}
	NewWithT(t).Expect(w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.tenant, Name: "wiki-inputs"}, secret)).To(Succeed())
	texts := map[string]string{}
	for key, value := range secret.Data {
		texts[key] = string(value)
	}
	return texts
}

func TestSecretOfAnotherProgramIsKept(t *testing.T) {
	w := newFormWorld(t)
	for why, labels := range map[string]map[string]string{
		"no labels":        nil,
		"another instance": {"appmarket.io/instance": "blog", "app.kubernetes.io/managed-by": "appmarket-ui"},
		"another program":  {"appmarket.io/instance": "wiki", "app.kubernetes.io/managed-by": "Helm"},
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			texts := map[string]string{"WIKI_ADMIN_PASSWORD": "former", "OTHER": "other"}
			w.putSecret(t, labels, texts)
			answer := w.b.post(t, w.path, w.validForm())
			g.Expect(answer.StatusCode).To(Equal(http.StatusConflict))
			g.Expect(answer.text).To(And(ContainSubstring("Secret wiki-inputs exists"), Not(ContainSubstring("CANARY"))))
			g.Expect(w.secretTexts(t)).To(Equal(texts))
			g.Expect(w.taskNames(t)).To(BeEmpty())
		})
	}
}

func TestSecretOfARejectedTaskIsRestored(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	labels := map[string]string{"appmarket.io/instance": "wiki", "app.kubernetes.io/managed-by": "kubectl-market"}
	writer := w.signIn(t, w.tenant, "writer", viewer, tenant[2])
	w.bindBrowser(t, w.tenant, "writer")
	shows(t, writer, w.path, "Install Wiki")
	for why, texts := range map[string]map[string]string{
		"the key has another value": {"WIKI_ADMIN_PASSWORD": "former", "OTHER": "other"},
		"the key does not exist":    {"OTHER": "other"},
	} {
		w.putSecret(t, labels, texts)
		g.Expect(writer.post(t, w.path, w.validForm()).StatusCode).To(Equal(http.StatusForbidden), why)
		g.Expect(w.secretTexts(t)).To(Equal(texts), why)
	}
	answer := w.b.post(t, w.path, w.validForm())
	g.Expect(answer.StatusCode).To(Equal(http.StatusSeeOther), answer.text)
	g.Expect(w.secretTexts(t)).To(Equal(map[string]string{"WIKI_ADMIN_PASSWORD": "CANARY-password", "OTHER": "other"}))
}
