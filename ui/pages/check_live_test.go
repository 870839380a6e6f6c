package pages_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// automatic returns a form as a page sends it while the user types.
func (w formWorld) automatic(former string) url.Values {
	form := w.validForm()
	form.Set("auto", "1")
	form.Set("former", former)
	return form
}

func TestAutomaticChecks(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	page := w.b.get(t, w.path).text
	g.Expect(page).To(And(ContainSubstring(`data-check="`+w.path+`/check"`), ContainSubstring(`data-fields="`+w.path+`/fields"`)))
	first := w.b.postPart(t, w.path+"/check", w.automatic(""))
	g.Expect(first.StatusCode).To(Equal(http.StatusOK), first.text)
	names := w.taskNames(t)
	g.Expect(names).To(HaveLen(1))
	g.Expect(first.text).To(And(ContainSubstring(`data-task="`+w.tenant+"/"+names[0]+`"`), Not(ContainSubstring("CANARY"))))

	// A form with an error, or without a required input, is not checked.
	for field, value := range map[string]string{"name": "Wrong name", "input.WIKI_SIZE": "100", "input.WIKI_ADMIN_EMAIL": "", "values": "a: ["} {
		wrong := w.automatic("")
		wrong.Set(field, value)
		answer := w.b.postPart(t, w.path+"/check", wrong)
		g.Expect(answer.StatusCode).To(Equal(http.StatusNoContent), field)
	}
	g.Expect(w.taskNames(t)).To(HaveLen(1))

	// Without the permission to delete tasks, the operator deletes the former check later.
	g.Expect(w.b.postPart(t, w.path+"/check", w.automatic(w.tenant+"/"+names[0])).StatusCode).To(Equal(http.StatusOK))
	g.Expect(w.taskNames(t)).To(HaveLen(2))
	limited := w.b.postPart(t, w.path+"/check", w.automatic(""))
	g.Expect(limited.StatusCode).To(Equal(http.StatusTooManyRequests))
	g.Expect(limited.Header.Get("Retry-After")).To(Equal("2"))
	g.Expect(w.taskNames(t)).To(HaveLen(2))
}

func TestFormerChecksAreDeleted(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	b := w.signIn(t, w.tenant, "deleter", append(tenant[:3:3], rbacv1.PolicyRule{APIGroups: []string{"appmarket.io"}, Resources: []string{"appinstalltasks"}, Verbs: []string{"delete"}})...)
	w.allowMore(t, "deleter")
	// The API server learns of the new permissions a moment after they were written.
	g.Eventually(func() []string {
		b.postPart(t, w.path+"/check", w.automatic(""))
		return w.taskNames(t)
	}, "30s", "2100ms").Should(HaveLen(1))
	former := w.taskNames(t)[0]
	answer := b.postPart(t, w.path+"/check", w.automatic(w.tenant+"/"+former))
	g.Expect(answer.StatusCode).To(Equal(http.StatusOK))
	g.Expect(w.taskNames(t)).To(And(HaveLen(1), Not(ContainElement(former))))

	// No other task is deleted: neither one that is carried out, nor a dry run with another name.
	w.addTask(t, w.tenant, "install-wiki-x7k2p", w.ref)
	own := &v1alpha1.AppInstallTask{}
	own.Namespace, own.Name = w.tenant, "check-of-mine"
	own.Spec = v1alpha1.AppInstallTaskSpec{Action: v1alpha1.ActionInstall, AppRef: w.ref, DryRun: new(true)}
	g.Expect(w.Client.Create(t.Context(), own)).To(Succeed())
	for _, name := range []string{w.tenant + "/install-wiki-x7k2p", w.tenant + "/check-of-mine", "../../x", "x"} {
		time.Sleep(2100 * time.Millisecond) // The interval between two checks of a session.
		g.Expect(b.postPart(t, w.path+"/check", w.automatic(name)).StatusCode).To(Equal(http.StatusOK), name)
	}
	g.Expect(w.taskNames(t)).To(ContainElements("install-wiki-x7k2p", "check-of-mine"))
}

// TestChecksOfAUserAreLimited opens a new session for each check.
func TestChecksOfAUserAreLimited(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	token := w.tokenFor(t, w.tenant, "jane")
	limited := 0
	for i := range 14 {
		b := w.newBrowser(t)
		g.Expect(b.post(t, "/login", url.Values{"token": {token}}).StatusCode).To(Or(Equal(http.StatusSeeOther), Equal(http.StatusTooManyRequests)))
		if i >= 4 { // Sign-ins are limited, too.
			b = w.b
		}
		answer := b.post(t, w.path+"/check", w.validForm())
		if answer.StatusCode == http.StatusTooManyRequests {
			g.Expect(answer.text).To(And(ContainSubstring("Too many checks"), ContainSubstring("Wait a few seconds")))
			limited++
		}
	}
	g.Expect(limited).To(BeNumerically(">=", 2))
	g.Expect(len(w.taskNames(t))).To(BeNumerically("<=", 12))
}

func TestFieldsAreChecked(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	app := w.readApp(t, "wiki")
	app.Status.Summary.Inputs = append(app.Status.Summary.Inputs,
		v1alpha1.Input{Name: "TLS", Type: "bool", Default: "false"},
		v1alpha1.Input{Name: "TLS_HOST", Type: "domain", Required: true, ShowIf: "TLS=true"})
	g.Expect(w.Client.Status().Update(t.Context(), app)).To(Succeed())
	shows(t, w.b, w.path, "TLS_HOST", "data-conditional")
	index := func(name string) string {
		for i, input := range app.Status.Summary.Inputs {
			if input.Name == name {
				return fmt.Sprint("input-", i)
			}
		}
		return ""
	}
	validate := func(change map[string]string) answer {
		form := w.validForm()
		for field, value := range change {
			form.Set(field, value)
		}
		return w.b.postPart(t, w.path+"/fields", form)
	}
	valid := validate(nil)
	g.Expect(valid.StatusCode).To(Equal(http.StatusOK))
	g.Expect(valid.text).To(And(Not(ContainSubstring("data-problem")), ContainSubstring(`data-hidden="`+index("TLS_HOST")+`"`)))
	for _, c := range []struct {
		field, value, id, problem string
	}{
		{"name", "Wrong name", "name", "lower-case letters"}, {"to", "", "to", "select a namespace"}, {"values", "a: [", "values", "line 1"},
		{"input.WIKI_ADMIN_EMAIL", "jane", index("WIKI_ADMIN_EMAIL"), "must be an email address"}, {"input.WIKI_SIZE", "10", index("WIKI_SIZE"), "must be at most 9"},
		{"input.WIKI_ADMIN_PASSWORD", "", index("WIKI_ADMIN_PASSWORD"), "a value is required"}, {"input.TLS", "true", index("TLS_HOST"), "a value is required"},
	} {
		answer := validate(map[string]string{c.field: c.value})
		g.Expect(answer.text).To(And(ContainSubstring(`data-problem="`+c.id+`"`), ContainSubstring(c.problem), Not(ContainSubstring("CANARY"))), c.field)
	}
	g.Expect(validate(map[string]string{"input.TLS": "true", "input.TLS_HOST": "a.example.com"}).text).To(BeEmpty())
	g.Expect(w.taskNames(t)).To(BeEmpty(), "nothing is written")

	// An input that is hidden is not sent.
	form := w.validForm()
	form.Set("input.TLS_HOST", "not a host")
	answer := w.b.post(t, w.path, form)
	g.Expect(answer.StatusCode).To(Equal(http.StatusSeeOther), answer.text)
	for _, input := range w.readTask(t, "install-wiki-abcde").Spec.Install.Inputs {
		g.Expect(input.Name).NotTo(Equal("TLS_HOST"))
	}

	w.addInstance(t, w.tenant, "wiki", w.ref)
	forms := "/instances/" + w.tenant + "/wiki/actions/"
	g.Expect(w.b.postPart(t, forms+"configure/fields", url.Values{"values": {"- a"}}).text).To(ContainSubstring(`data-problem="values"`))
	g.Expect(w.b.postPart(t, forms+"rollback/fields", url.Values{"choice": {"99"}}).StatusCode).To(Equal(http.StatusOK))
	g.Expect(w.b.postPart(t, "/sources/new/fields", nil).StatusCode).To(Equal(http.StatusNotFound))
	other := w.signIn(t, w.Namespace(t, nil), "other", tenant...)
	g.Expect(other.postPart(t, w.path+"/fields", w.validForm()).StatusCode).To(Equal(http.StatusForbidden))
	long := w.validForm()
	long.Set("values", strings.Repeat("x", 2<<20))
	g.Expect(w.b.postPart(t, w.path+"/fields", long).StatusCode).To(Equal(http.StatusBadRequest))
}

// allowMore lets one more service account of the tenant browse the market.
func (w world) allowMore(t *testing.T, account string) {
	t.Helper()
	binding := &rbacv1.RoleBinding{}
	g := NewWithT(t)
	g.Expect(w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.market, Name: "browser"}, binding)).To(Succeed())
	binding.Subjects = append(binding.Subjects, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: w.tenant, Name: account})
	g.Expect(w.Client.Update(t.Context(), binding)).To(Succeed())
}
