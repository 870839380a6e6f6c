package pages

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/sourcebuilder"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/locale"
)

// sourceForm is the form that adds or changes a source.
type sourceForm struct {
	sourcebuilder.Request

	// Source is the source that is changed, nil for a new one.
	Source *v1alpha1.MarketSource
	// Generation is the generation of the source when the form was opened.
	Generation string
	// Sharing is same, all or selector, and Selector the label selector of namespaces.
	Sharing, Selector string
	// Types are the types of sources, Profiles the platform profiles, and Receivers and Providers the
	// choices for spec.receiver.type and spec.verify.provider.
	Types, Profiles, Sharings, Receivers, Providers []option
	// PrereleaseChoices are the choices for spec.filter.prereleases.
	PrereleaseChoices []option
	Namespaces        []string
	// TypedNamespace reports that there are too many namespaces for a list.
	TypedNamespace bool
	Charts         string
	Include        string
	Exclude        string
	Identities     string
	MaxVersions    string
	Interval       string
	NotAllowed     string
	// Grant is the command that grants the missing permission.
	Grant  string
	Errors []fieldError
	// Accepted reports that the API server has accepted the source in a dry run.
	Accepted bool

	formOutput
	lang   *locale.Language
	change *objectChange

	source *v1alpha1.MarketSource
}

// showNewSource shows the form that adds a source.
func showNewSource(r *request) (*view, error) {
	v, err := newSourceForm(r)
	if err != nil {
		return nil, err
	}
	return v.view(), nil
}

// submitNewSource creates a source.
func submitNewSource(r *request) (next string, again *view, err error) {
	v, err := newSourceForm(r)
	if err != nil {
		return "", nil, err
	}
	if v.checkFields(); len(v.Errors) > 0 {
		return "", v.view(), nil
	}
	created := v.source.DeepCopy()
	if isTrial(r) {
		err = r.Writer.Create(r.Context(), created, client.DryRunAll)
		r.logWrite("create (dry run)", created, err)
		return v.trialResultOf(r, err, "create")
	}
	err = r.Writer.Create(r.Context(), created)
	r.logWrite("create", created, err)
	if apierrors.IsAlreadyExists(err) {
		return v.handleExisting(r)
	}
	return v.resultOf(r, err, "create")
}

// handleExisting returns the page of a source that the same form has created before. Another source with
// the name is a problem.
func (v *sourceForm) handleExisting(r *request) (next string, again *view, err error) {
	existing := &v1alpha1.MarketSource{}
	if err := r.Get(r.Context(), client.ObjectKeyFromObject(v.source), existing); err != nil {
		return "", nil, asProblem(r, err, "get", kube.Sources, v.source.Namespace)
	}
	if equality.Semantic.DeepDerivative(v.source.Spec, existing.Spec) {
		return sourceURL(existing.Namespace, existing.Name), nil, nil
	}
	v.addExistsError()
	return "", v.view(), nil
}

func (v *sourceForm) addExistsError() {
	v.Errors = append(v.Errors, fieldError{"name", v.lang.Text("form.name"), v.lang.Text("fieldProblem.sourceExists")})
}

// resultOf returns the page of the source after a write, or the form with what the API server rejected.
func (v *sourceForm) resultOf(r *request, err error, verb string) (next string, again *view, failure error) {
	switch {
	case err == nil:
		return sourceURL(v.source.Namespace, v.source.Name), nil, nil
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsForbidden(err) && v.NotAllowed == "":
		// The user has the permission, so that admission has refused the source.
		v.Errors = sourceErrorsOf(r.lang, err)
		return "", v.view(), nil
	}
	return "", nil, writeProblemOf(r, err, verb, kube.Sources, v.source.Namespace)
}

// newSourceForm returns the form of a new source with the entries of a request.
func newSourceForm(r *request) (*sourceForm, error) {
	v := &sourceForm{lang: r.lang, Request: sourcebuilder.Request{AllowedNamespaces: "same"}}
	if err := v.addNamespaces(r); err != nil {
		return nil, err
	}
	v.Namespace = strings.TrimSpace(enteredOr(r, "to", v.Namespace))
	v.Name = strings.TrimSpace(r.PostFormValue("name"))
	v.addEntries(r)
	return v, v.addSource()
}

// addSource adds the source of the entries, and how the form shows it.
func (v *sourceForm) addSource() error {
	q := v.newRequest()
	source, err := sourcebuilder.NewSource(q)
	if err != nil { // A field is invalid that checkFields reports.
		q.AllowedNamespaces, q.Ref, q.Receiver, q.ReceiverSecret, q.Verify = "same", "", "", "", sourcebuilder.VerifyRequest{}
		if source, err = sourcebuilder.NewSource(q); err != nil {
			return err
		}
	}
	v.source = source
	shown := source.DeepCopy()
	if shown.Name == "" {
		shown.Name, q.Name = "NAME", "NAME"
	}
	if q.Location == "" && shown.Spec.Helm != nil {
		shown.Spec.Helm.URL, q.Location = "URL", "URL"
	}
	if v.Manifest, err = taskbuilder.Manifest(shown); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	v.Command, v.GitManifest, v.IsSource, v.FileName = sourcebuilder.AddCommand(q), v.Manifest, true, q.Name
	return nil
}

func (v *sourceForm) view() *view {
	title := v.lang.Text("sources.add")
	if v.Source != nil {
		title = v.lang.Text("sourceForm.change", "Name", v.Source.Name)
	}
	return &view{name: "source-form", titles: []string{title, v.lang.Text("sources.title")}, section: "sources", data: v}
}

// Change returns the change of a source, nil for a new source.
func (v *sourceForm) Change() *objectChange { return v.change }
