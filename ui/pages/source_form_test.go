package pages_test

import (
	"maps"
	"net/http"
	"net/url"
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// marketAdmin are the rules of a user who writes the sources of a market.
var marketAdmin = []rbacv1.PolicyRule{
	viewer, {APIGroups: []string{"appmarket.io"}, Resources: []string{"marketsources"}, Verbs: []string{"create", "patch", "update", "delete"}},
}

func (w world) readSource(t *testing.T, name string) *v1alpha1.MarketSource {
	t.Helper()
	source := &v1alpha1.MarketSource{}
	NewWithT(t).Expect(w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.market, Name: name}, source)).To(Succeed())
	return source
}

func TestSourceIsAddedChangedAndDeleted(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	b := w.signIn(t, w.market, "admin", marketAdmin...)
	g.Expect(shows(t, b, "/sources/new", "Add a source").text).To(ContainSubstring("<option selected>"+w.market), "the only namespace is selected")
	g.Expect(b.get(t, "/sources/new").text).To(ContainSubstring(`<option value="Helm" selected>`))
	form := url.Values{"to": {w.market}, "name": {"team"}, "location": {"oci://registry.example/charts"}, "type": {""}, "charts": {"web\r\ndb"}, "sharing": {"selector"}, "selector": {"team=web"}, "max-versions": {"2"}, "versions": {">=1.2 <3"}, "prereleases": {"false"}, "interval": {"1h"}, "secret": {"login"}}
	preview := b.post(t, "/sources/new/preview", form)
	g.Expect(preview.text).To(And(ContainSubstring("kind: MarketSource"), ContainSubstring("kubectl market source add team oci://registry.example/charts"), ContainSubstring("--charts web,db"), ContainSubstring("prereleases: false"), ContainSubstring("--prereleases=false")))
	invalid := maps.Clone(form)
	invalid["versions"] = []string{"newest"}
	g.Expect(b.post(t, "/sources/new", invalid).text).To(ContainSubstring("must be a range of semantic versions"))
	for range 2 { // The button is pressed twice.
		answer := b.post(t, "/sources/new", form)
		g.Expect(answer.StatusCode).To(Equal(http.StatusSeeOther), answer.text)
		g.Expect(answer.Header.Get("Location")).To(Equal("/sources/" + w.market + "/team"))
	}
	source := w.readSource(t, "team")
	g.Expect(source.Spec.OCI).To(Equal(&v1alpha1.OCISource{URL: "oci://registry.example/charts", Charts: []string{"web", "db"}, SecretRef: &v1alpha1.LocalObjectReference{Name: "login"}}))
	g.Expect(source.Spec.Filter.MaxVersions).To(BeEquivalentTo(2))
	g.Expect(source.Spec.AllowedNamespaces.Selector.MatchLabels).To(Equal(map[string]string{"team": "web"}))

	page := "/sources/" + w.market + "/team"
	shows(t, b, page, "Synchronize", "Suspend", "Change", "Delete")
	g.Expect(b.get(t, page+"/edit").text).To(And(ContainSubstring(`value="oci://registry.example/charts"`), ContainSubstring("Nothing is changed yet"), ContainSubstring(`value="team=web"`)))
	edit := url.Values{"generation": {"1"}, "interval": {"2h"}, "charts": {"web"}}
	g.Expect(b.post(t, page+"/edit/preview", edit).text).To(And(ContainSubstring("interval: 2h"), ContainSubstring("kubectl patch marketsource team")))
	g.Expect(b.post(t, page+"/edit", edit).StatusCode).To(Equal(http.StatusSeeOther))
	source = w.readSource(t, "team")
	g.Expect(source.Spec.OCI.Charts).To(Equal([]string{"web"}))
	g.Expect(source.Spec.Interval).To(BeEquivalentTo("2h"))
	g.Expect(source.Spec.OCI.SecretRef).NotTo(BeNil(), "other fields are kept")
	g.Expect(b.post(t, page+"/edit", edit).text).To(ContainSubstring("was changed after you opened the form"))

	for _, action := range []string{"suspend", "resume", "sync"} {
		g.Expect(b.get(t, page+"/actions/"+action).text).To(And(ContainSubstring("kubectl patch marketsource team"), ContainSubstring("kubectl market source "+action+" team")), action)
		g.Expect(b.post(t, page+"/actions/"+action, nil).Header.Get("Location")).To(Equal(page))
		source = w.readSource(t, "team")
		switch action {
		case "suspend":
			g.Expect(*source.Spec.Suspend).To(BeTrue())
			shows(t, b, page, "Resume")
		case "resume":
			g.Expect(*source.Spec.Suspend).To(BeFalse())
		default:
			g.Expect(source.Annotations).To(HaveKey(v1alpha1.ReconcileRequestAnnotation))
		}
	}
	g.Expect(b.get(t, page+"/actions/destroy").StatusCode).To(Equal(http.StatusNotFound))
	g.Expect(b.post(t, page+"/actions/delete", url.Values{"confirm": {"tea"}}).StatusCode).To(Equal(http.StatusUnprocessableEntity))
	g.Expect(b.post(t, page+"/actions/delete", url.Values{"confirm": {"team"}}).Header.Get("Location")).To(Equal("/sources"))
	g.Expect(apierrors.IsNotFound(w.Client.Get(t.Context(), client.ObjectKeyFromObject(source), source))).To(BeTrue())

	jane := w.signIn(t, w.tenant, "jane", viewer)
	w.allowBrowsing(t, "jane")
	g.Expect(shows(t, jane, "/sources/"+w.market+"/samples/actions/delete", "Delete samples").text).To(ContainSubstring("/instances/"+w.tenant+"/wiki"), "the instances of its apps are listed")
}

// TestSourceOfUploadsIsAdded selects the type without a location. What was entered for another type is ignored.
func TestSourceOfUploadsIsAdded(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	b := w.signIn(t, w.market, "admin", marketAdmin...)
	form := url.Values{"to": {w.market}, "name": {"team"}, "location": {"https://charts.example"}, "type": {"Upload"}, "secret": {"login"}, "sharing": {"all"}}
	g.Expect(b.post(t, "/sources/new/preview", form).text).To(And(ContainSubstring("type: Upload"), ContainSubstring("kubectl market source add team --namespace "+w.market+" --type upload --allowed-namespaces all")))
	form.Del("location")
	answer := b.post(t, "/sources/new", form)
	g.Expect(answer.StatusCode).To(Equal(http.StatusSeeOther), answer.text)
	source := w.readSource(t, "team")
	g.Expect(source.Spec.Type).To(Equal(v1alpha1.SourceTypeUpload))
	g.Expect(source.Spec.Upload.MaxCharts).To(BeEquivalentTo(1000), "the default")

	page := "/sources/" + w.market + "/team"
	edit := url.Values{"generation": {"1"}, "interval": {"2h"}}
	g.Expect(b.post(t, page+"/edit", edit).StatusCode).To(Equal(http.StatusSeeOther))
	changed := w.readSource(t, "team")
	g.Expect(changed.Spec.Upload).To(Equal(source.Spec.Upload))
	g.Expect(changed.Spec.Interval).To(BeEquivalentTo("2h"))
	g.Expect(b.get(t, page).StatusCode).To(Equal(http.StatusOK))
}

// TestSourceWithProxyReceiverAndSignaturesIsAdded fills in the fields about credentials, changes one, and looks
// at rejections of the API server.
func TestSourceWithProxyReceiverAndSignaturesIsAdded(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	b := w.signIn(t, w.market, "admin", marketAdmin...)
	form := url.Values{
		"to": {w.market}, "name": {"team"}, "location": {"oci://registry.example/charts"}, "cert-secret": {"cert"}, "proxy-secret": {"proxy"},
		"receiver": {"Harbor"}, "receiver-secret": {"hook"}, "verify": {"Cosign"}, "trust-root": {"trust/root.json"},
		"identities": {"https://issuer.example jane@example.com\r\n\r\n~https://.* ~.*@example\\.com"},
	}
	preview := b.post(t, "/sources/new/preview", form)
	g.Expect(preview.text).To(And(ContainSubstring("--cert-secret cert --proxy-secret proxy"), ContainSubstring("--receiver harbor --receiver-secret hook"),
		ContainSubstring("--verify cosign --trust-root trust/root.json --identity")))
	answer := b.post(t, "/sources/new", form)
	g.Expect(answer.StatusCode).To(Equal(http.StatusSeeOther), answer.text)
	spec := w.readSource(t, "team").Spec
	g.Expect(spec.OCI.ProxySecretRef).To(HaveValue(HaveField("Name", "proxy")))
	g.Expect(spec.Receiver).To(HaveValue(Equal(v1alpha1.Receiver{Type: v1alpha1.ReceiverHarbor, SecretRef: v1alpha1.LocalObjectReference{Name: "hook"}})))
	g.Expect(spec.Verify.Cosign.Keyless.Identities).To(Equal([]v1alpha1.SignerIdentity{
		{Issuer: "https://issuer.example", Subject: "jane@example.com"}, {IssuerRegExp: "https://.*", SubjectRegExp: `.*@example\.com`},
	}))

	page := "/sources/" + w.market + "/team"
	g.Expect(b.get(t, page+"/edit").text).To(And(ContainSubstring("Nothing is changed yet"), ContainSubstring(`value="trust/root.json"`), ContainSubstring(`value="proxy"`)))
	g.Expect(b.post(t, page+"/edit", url.Values{"generation": {"1"}, "interval": {"2h"}}).StatusCode).To(Equal(http.StatusSeeOther))
	changed := w.readSource(t, "team").Spec
	g.Expect(changed.Verify).To(Equal(spec.Verify))
	g.Expect(changed.Receiver).To(Equal(spec.Receiver))
	g.Expect(b.post(t, page+"/edit", url.Values{"generation": {"2"}, "verify": {""}, "trust-root": {""}, "identities": {""}, "receiver": {""}, "receiver-secret": {""}, "proxy-secret": {""}}).StatusCode).To(Equal(http.StatusSeeOther))
	changed = w.readSource(t, "team").Spec
	g.Expect(changed.Verify).To(BeNil())
	g.Expect(changed.Receiver).To(BeNil())
	g.Expect(changed.OCI.ProxySecretRef).To(BeNil())

	form.Set("name", "other")
	form.Set("location", "https://charts.example")
	form.Set("verify", "Notation")
	form.Set("identities", "")
	answer = b.post(t, "/sources/new", form)
	g.Expect(answer.StatusCode).To(Equal(http.StatusUnprocessableEntity))
	g.Expect(answer.text).To(And(ContainSubstring(`<a href="#verify">`), ContainSubstring("available only when type is OCI")))
	form.Set("location", "ssh://git@git.example/charts.git")
	answer = b.post(t, "/sources/new", form)
	g.Expect(answer.text).To(And(ContainSubstring(`<a href="#proxy-secret">`), ContainSubstring("SSH does not use a proxy")))
}

func TestSourceFormErrors(t *testing.T) {
	w := newWorld(t, false)
	b := w.signIn(t, w.market, "admin", marketAdmin...)
	for _, c := range []struct{ field, value, id, want string }{
		{"to", "", "to", "select a namespace"}, {"name", "Wrong.name", "name", "at most 63"}, {"location", "", "location", "enter the URL"},
		{"location", "https://jane:secret@charts.example", "location", "must not contain credentials"}, {"location", "relative", "location", "must begin with http"},
		{"max-versions", "many", "max-versions", "from 1 to 50"}, {"max-versions", "99", "max-versions", "less than or equal to 50"}, {"interval", "soon", "interval", "must be a duration"},
		{"receiver", "GitHub", "receiver-secret", "the Secret with the token"}, {"receiver-secret", "hook", "receiver", "select the server"},
		{"verify", "Cosign", "trust-root", "must be NAME/KEY"}, {"trust-root", "trust/key", "verify", "select the required signature"},
		{"interval", "1s", "interval", "at least 10s"}, {"selector", "", "selector", "label selector"}, {"selector", "a b c", "selector", "label selector"}, {"name", "samples", "name", "already has a source"},
	} {
		t.Run(c.field+" "+c.value, func(t *testing.T) {
			g := NewWithT(t)
			form := url.Values{"to": {w.market}, "name": {"team"}, "location": {"https://charts.example"}, "sharing": {"selector"}, "selector": {"team=web"}}
			form.Set(c.field, c.value)
			answer := b.post(t, "/sources/new", form)
			g.Expect(answer.StatusCode).To(Equal(http.StatusUnprocessableEntity))
			g.Expect(answer.text).To(ContainSubstring(`<a href="#` + c.id + `">`))
			g.Expect(answer.text).To(MatchRegexp(`(?s)id="` + c.id + `" [^>]*aria-describedby="[^"]*` + c.id + `-problem" aria-invalid="true".*<p class="error" id="` + c.id + `-problem">.*` + c.want))
			g.Expect(answer.text).To(ContainSubstring(c.want))
		})
	}
}

// TestSourcesNeedPermissions opens and sends the forms as a user who can only read.
func TestSourcesNeedPermissions(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	b := w.signIn(t, w.market, "reader", viewer)
	page := "/sources/" + w.market + "/samples"
	g.Expect(shows(t, b, page, "Delete").text).To(And(ContainSubstring(`aria-disabled="true"`), ContainSubstring("You cannot change sources")))
	g.Expect(b.get(t, "/sources/new").text).To(And(ContainSubstring("You cannot create sources"), ContainSubstring("clusterrole=appmarket-market-admin")))
	g.Expect(b.get(t, page+"/edit").text).To(ContainSubstring("clusterrole=appmarket-market-admin"))
	for path, form := range map[string]url.Values{
		"/sources/new": {"to": {w.market}, "name": {"team"}, "location": {"https://charts.example"}}, page + "/edit": {"generation": {"1"}, "interval": {"1h"}},
		page + "/actions/suspend": nil, page + "/actions/sync": nil, page + "/actions/delete": {"confirm": {"samples"}},
	} {
		g.Expect(b.post(t, path, form).StatusCode).To(Equal(http.StatusForbidden), path)
	}
	other := w.signIn(t, w.tenant, "jane", viewer)
	for _, path := range []string{page + "/edit", page + "/actions/delete"} {
		g.Expect(other.get(t, path).StatusCode).To(Equal(http.StatusForbidden), path)
	}
}
