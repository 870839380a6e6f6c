package pages

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

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
	// Types are the types of sources, and Profiles the platform profiles.
	Types, Profiles, Sharings []option
	Namespaces                []string
	// TypedNamespace reports that there are too many namespaces for a list.
	TypedNamespace bool
	Charts         string
	Include        string
	Exclude        string
	MaxVersions    string
	Interval       string
	NotAllowed     string
	// Grant is the command that grants the missing permission.
	Grant  string
	Errors []fieldError

	formTask
	lang   *locale.Language
	change *sourceChange

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
	v.Errors = append(v.Errors, fieldError{"name", r.Text("form.name"), r.Text("fieldProblem.sourceExists")})
	return "", v.view(), nil
}

// resultOf returns the page of the source after a write, or the form with what the API server rejected.
func (v *sourceForm) resultOf(r *request, err error, verb string) (next string, again *view, failure error) {
	if err == nil {
		return sourceURL(v.source.Namespace, v.source.Name), nil, nil
	}
	if apierrors.IsInvalid(err) {
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

// addNamespaces adds the namespaces in which the user can create sources.
func (v *sourceForm) addNamespaces(r *request) error {
	scope, err := r.ScopeWith(r.Context(), "create", kube.Sources)
	if err != nil {
		return err
	}
	v.TypedNamespace = scope.Cut
	v.Namespaces = scope.Namespaces
	if scope.All {
		all, err := r.ListNamespaces(r.Context())
		if err != nil {
			return err
		}
		v.Namespaces, v.TypedNamespace = all.Namespaces, all.Cut
	}
	switch {
	case v.TypedNamespace:
	case len(v.Namespaces) == 0:
		v.TypedNamespace = true
		v.NotAllowed = r.Text("sourceForm.cannotCreate")
		v.Grant = bindingCommand(r.session.User, "create", kube.Sources, "market", " -n market")
	case len(v.Namespaces) == 1:
		v.Namespace = v.Namespaces[0]
	default:
		v.Namespace = v.suggestNamespace(r)
	}
	return nil
}

// suggestNamespace returns the namespace of an existing source, "" if there is none.
func (v *sourceForm) suggestNamespace(r *request) string {
	scope, err := r.ScopeFor(r.Context(), kube.Sources)
	if err != nil {
		return ""
	}
	all, err := r.server.Cluster.ListSources(r.Context(), scope)
	for i := range all {
		if err == nil && slices.Contains(v.Namespaces, all[i].Namespace) {
			return all[i].Namespace
		}
	}
	return ""
}

// addEntries replaces the fields of the form by what is entered.
func (v *sourceForm) addEntries(r *request) {
	enter := func(field, present string) string { return strings.TrimSpace(enteredOr(r, field, present)) }
	v.Type = v1alpha1.SourceType(enter("type", string(v.Type)))
	v.Location, v.Secret, v.CertSecret = enter("location", v.Location), enter("secret", v.Secret), enter("cert-secret", v.CertSecret)
	v.RegistrySecret = enter("registry-secret", v.RegistrySecret)
	v.Ref, v.Path = enter("ref", v.Ref), enter("path", v.Path)
	v.SystemVersion = enter("system-version", v.SystemVersion)
	if r.Method == http.MethodPost {
		v.AllCharts = r.PostFormValue("all-charts") != ""
		v.Insecure = r.PostFormValue("insecure") != ""
	}
	v.Charts, v.Include = enter("charts", linesOf(v.Request.Charts)), enter("include", linesOf(v.Request.Include))
	v.Exclude = enter("exclude", linesOf(v.Request.Exclude))
	v.Profile = v1alpha1.PlatformProfile(enter("profile", string(v.Profile)))
	if v.Request.MaxVersions != 0 {
		v.MaxVersions = strconv.Itoa(int(v.Request.MaxVersions))
	}
	v.MaxVersions, v.Interval = enter("max-versions", v.MaxVersions), enter("interval", string(v.Request.Interval))
	v.Sharing, v.Selector = "same", ""
	switch v.AllowedNamespaces {
	case "same", "all":
		v.Sharing = v.AllowedNamespaces
	default:
		v.Sharing, v.Selector = "selector", v.AllowedNamespaces
	}
	v.Sharing, v.Selector = enter("sharing", v.Sharing), enter("selector", v.Selector)
	v.Types = optionsOf(string(v.Type), "", r.Text("sourceForm.typeByLocation"), "Helm", r.Text("sourceForm.helm"), "OCI", r.Text("sourceForm.oci"),
		"Git", r.Text("sourceForm.git"), "Olares", r.Text("sourceForm.olares"), "Artifact", r.Text("sourceForm.artifact"),
		"Directory", r.Text("sourceForm.directory"), "Upload", r.Text("sourceForm.upload"))
	v.Profiles = optionsOf(string(v.Profile), "", r.Text("sourceForm.defaultProfile"), "Helm", "Helm", "Olares", "Olares")
	v.Sharings = optionsOf(v.Sharing, "same", r.Text("sourceForm.sharedOwn"), "all", r.Text("sourceForm.sharedAll"), "selector", r.Text("sourceForm.sharedLabels"))
}

// optionsOf returns options of which each is given as a value and a text.
func optionsOf(chosen string, pairs ...string) []option {
	var options []option
	for i := 0; i+1 < len(pairs); i += 2 {
		options = append(options, option{pairs[i], pairs[i+1], pairs[i] == chosen})
	}
	return options
}

// linesOf returns a list as lines, and listOf the list of lines or of texts between commas.
func linesOf(list []string) string { return strings.Join(list, "\n") }

func listOf(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t' })
}

// newRequest returns the request of the entries. Fields that the type does not have are left out.
func (v *sourceForm) newRequest() sourcebuilder.Request {
	q := v.Request
	if q.Type == "" {
		q.Type = sourcebuilder.TypeOfLocation(q.Location)
	}
	q.Charts, q.Include, q.Exclude = listOf(v.Charts), listOf(v.Include), listOf(v.Exclude)
	q.Interval = v1alpha1.Duration(v.Interval)
	count, err := strconv.ParseInt(v.MaxVersions, 10, 32)
	if q.MaxVersions = 0; err == nil {
		q.MaxVersions = int32(count)
	}
	if q.AllowedNamespaces = v.Sharing; v.Sharing == "selector" {
		q.AllowedNamespaces = v.Selector
	}
	if q.Type != v1alpha1.SourceTypeOCI {
		q.Charts, q.AllCharts, q.Insecure = nil, false, false
	}
	if q.Type != v1alpha1.SourceTypeGit {
		q.Ref = ""
	}
	if q.Type != v1alpha1.SourceTypeOlares {
		q.SystemVersion = ""
	}
	if q.Type != v1alpha1.SourceTypeGit && q.Type != v1alpha1.SourceTypeArtifact {
		q.Path = ""
	}
	switch q.Type {
	case v1alpha1.SourceTypeUpload:
		q.Location, q.Secret, q.CertSecret = "", "", ""
	case v1alpha1.SourceTypeDirectory, v1alpha1.SourceTypeArtifact:
		q.Secret, q.CertSecret = "", ""
	}
	return q
}

// addSource adds the source of the entries, and how the form shows it.
func (v *sourceForm) addSource() error {
	q := v.newRequest()
	source, err := sourcebuilder.NewSource(q)
	if err != nil { // The label selector or the reference is invalid.
		q.AllowedNamespaces, q.Ref = "same", ""
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
	v.Command = sourcebuilder.AddCommand(q)
	return nil
}

// checkFields adds the problems of all fields that the API server does not report by field.
func (v *sourceForm) checkFields() {
	add := func(id, label, text string, values ...any) {
		v.Errors = append(v.Errors, fieldError{id, v.lang.Text(label), v.lang.Text(text, values...)})
	}
	if !namespaceForm.MatchString(v.Namespace) {
		add("to", "form.namespace", "fieldProblem.selectNamespace")
	}
	if !namespaceForm.MatchString(v.Name) {
		add("name", "form.name", "fieldProblem.name", "Value", 63)
	}
	if v.Location == "" && v.Type != v1alpha1.SourceTypeUpload {
		add("location", "sourceForm.address", "fieldProblem.location")
	}
	if v.MaxVersions != "" && v.newRequest().MaxVersions < 1 {
		add("max-versions", "sourceForm.maxVersions", "fieldProblem.maxVersions")
	}
	if _, err := sourcebuilder.ParseRef(v.newRequest().Ref); err != nil {
		add("ref", "sourceForm.ref", "fieldProblem.ref")
	}
	if v.Interval != "" {
		if d, err := time.ParseDuration(v.Interval); err != nil || d <= 0 {
			add("interval", "sourceForm.interval", "fieldProblem.interval")
		}
	}
	if _, err := sourcebuilder.ParseAllowedNamespaces(v.newRequest().AllowedNamespaces); err != nil || v.Sharing == "selector" && v.Selector == "" {
		add("selector", "sourceForm.selector", "fieldProblem.selector")
	}
}

func (v *sourceForm) view() *view {
	title := v.lang.Text("sources.add")
	if v.Source != nil {
		title = v.lang.Text("sourceForm.change", "Name", v.Source.Name)
	}
	return &view{name: "source-form", titles: []string{title, v.lang.Text("sources.title")}, section: "sources", data: v}
}

// Change returns the change of a source, nil for a new source.
func (v *sourceForm) Change() *sourceChange { return v.change }
