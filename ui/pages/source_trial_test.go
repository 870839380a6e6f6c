package pages_test

import (
	"maps"
	"net/http"
	"net/url"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// refuseSources adds an admission policy that refuses sources in a namespace whose interval is 7h.
func (w world) refuseSources(t *testing.T) {
	t.Helper()
	name := "sources-" + w.market
	w.Create(t, &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{"*"},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{"appmarket.io"}, APIVersions: []string{"*"}, Resources: []string{"marketsources"}},
				},
			}}},
			Validations: []admissionregistrationv1.Validation{{
				Expression: `!has(object.spec.interval) || object.spec.interval != "7h"`, Message: "an interval of 7h is not allowed in this cluster",
			}},
		},
	})
	w.Create(t, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
			MatchResources: &admissionregistrationv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.market}}},
		},
	})
}

// TestSourceIsTried sends the forms of sources with Try it.
func TestSourceIsTried(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	b := w.signIn(t, w.market, "admin", marketAdmin...)
	accepted := ContainSubstring("The API server accepts the source")
	try := func(path string, form url.Values, changes ...string) answer {
		sent := maps.Clone(form)
		sent.Set("try", "yes")
		for i := 0; i+1 < len(changes); i += 2 {
			sent.Set(changes[i], changes[i+1])
		}
		return b.post(t, path, sent)
	}
	exists := func(name string) bool {
		err := w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.market, Name: name}, &v1alpha1.MarketSource{})
		g.Expect(client.IgnoreNotFound(err)).To(Succeed())
		return !apierrors.IsNotFound(err)
	}
	form := url.Values{"to": {w.market}, "name": {"tried"}, "location": {"https://charts.example"}, "interval": {"1h"}}
	answer := try("/sources/new", form)
	g.Expect(answer.StatusCode).To(Equal(http.StatusOK))
	g.Expect(answer.text).To(And(accepted, ContainSubstring(`value="https://charts.example"`), Not(ContainSubstring("form-errors"))))
	g.Expect(exists("tried")).To(BeFalse())
	g.Expect(b.get(t, "/sources/new").text).NotTo(accepted)

	answer = try("/sources/new", form, "interval", "1s")
	g.Expect(answer.StatusCode).To(Equal(http.StatusUnprocessableEntity))
	g.Expect(answer.text).To(And(Not(accepted), MatchRegexp(`<p class="error" id="interval-problem">.*at least 10s`)))
	answer = try("/sources/new", form, "name", "samples")
	g.Expect(answer.text).To(MatchRegexp(`<p class="error" id="name-problem">.*already has a source`))

	t.Log("an admission policy refuses the source")
	w.refuseSources(t)
	const refusal = "an interval of 7h is not allowed in this cluster"
	g.Eventually(func() string { return try("/sources/new", form, "interval", "7h").text }).WithTimeout(30 * time.Second).WithPolling(200 * time.Millisecond).
		Should(And(ContainSubstring(refusal), ContainSubstring(`<a href="#form">`), ContainSubstring(`value="https://charts.example"`), Not(accepted)))
	form.Set("interval", "7h")
	answer = b.post(t, "/sources/new", form)
	g.Expect(answer.StatusCode).To(Equal(http.StatusUnprocessableEntity))
	g.Expect(answer.text).To(And(ContainSubstring(refusal), ContainSubstring(`value="https://charts.example"`)))
	g.Expect(exists("tried")).To(BeFalse())

	t.Log("the form that changes a source")
	edit, before := "/sources/"+w.market+"/samples/edit", w.readSource(t, "samples")
	generation := url.Values{"generation": {"1"}}
	answer = try(edit, generation, "interval", "2h")
	g.Expect(answer.StatusCode).To(Equal(http.StatusOK), answer.text)
	g.Expect(answer.text).To(And(accepted, ContainSubstring("interval: 2h")))
	g.Expect(try(edit, generation, "interval", "7h").text).To(And(Not(accepted), ContainSubstring(refusal)))
	g.Expect(w.readSource(t, "samples").ResourceVersion).To(Equal(before.ResourceVersion), "nothing was written")

	reader := w.signIn(t, w.market, "reader", viewer)
	for path, form := range map[string]url.Values{"/sources/new": {"to": {w.market}, "name": {"tried"}, "location": {"https://charts.example"}}, edit: generation} {
		form.Set("try", "yes")
		g.Expect(reader.post(t, path, form).StatusCode).To(Equal(http.StatusForbidden), path)
	}
}
