package pages

import (
	"cmp"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/sourcebuilder"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/locale"
)

// objectChange is a change of an object as a form shows it.
type objectChange struct {
	// Patch is the merge patch as YAML, empty if the object is deleted. Kubectl is the kubectl command,
	// and Plugin the command of the plugin, empty if it has none.
	Patch, Kubectl, Plugin string
}

// sourceAction is an action on a source that has a page.
type sourceAction struct {
	// verb is the text of the button, text says what the action does, both as messages, and right is the
	// verb that the user needs.
	verb, text, right string
	// change changes the source. It is nil for the deletion.
	change func(*v1alpha1.MarketSource)
	// command is the command of the plugin.
	command string
}

// sourceActions are the actions by the last part of their URLs.
var sourceActions = map[string]sourceAction{
	"sync": {"sourceAction.sync", "sourceActionText.sync", "patch", func(source *v1alpha1.MarketSource) {
		if source.Annotations == nil {
			source.Annotations = map[string]string{}
		}
		source.Annotations[v1alpha1.ReconcileRequestAnnotation] = time.Now().UTC().Format(time.RFC3339Nano)
	}, "sync"},
	"suspend": {"sourceAction.suspend", "sourceActionText.suspend", "patch",
		func(source *v1alpha1.MarketSource) { source.Spec.Suspend = new(true) }, "suspend"},
	"resume": {"sourceAction.resume", "sourceActionText.resume", "patch",
		func(source *v1alpha1.MarketSource) { source.Spec.Suspend = new(false) }, "resume"},
	"delete": {"sourceAction.delete", "sourceActionText.delete", "delete", nil, "remove"},
}

// sourceActionView is the page of an action on a source.
type sourceActionView struct {
	Source             *v1alpha1.MarketSource
	Action, Verb, Text string
	NotAllowed, Grant  string
	Problem            string
	Delete             bool
	// Instances are the instances of apps of the source that the user can list.
	Instances []instanceRow
	Change    *objectChange

	lang   *locale.Language
	chosen sourceAction
	before *v1alpha1.MarketSource
}

// getSource reads the source of a URL with the credential of the user.
func getSource(r *request) (*v1alpha1.MarketSource, error) {
	namespace := r.PathValue("namespace")
	source := &v1alpha1.MarketSource{}
	err := r.Get(r.Context(), types.NamespacedName{Namespace: namespace, Name: r.PathValue("name")}, source)
	return source, asProblem(r, err, "get", kube.Sources, namespace)
}

// sourceNotAllowed returns why the user cannot write a source, and the command that grants the
// permission. Both are empty if the user can.
func sourceNotAllowed(r *request, verb string, source *v1alpha1.MarketSource) (why, grant string, err error) {
	allowed, err := r.Allows(r.Context(), verb, kube.Sources, source.Namespace, source.Name)
	if err != nil || allowed {
		return "", "", err
	}
	command := bindingCommand(r.session.User, verb, kube.Sources, source.Namespace, " -n "+source.Namespace)
	return forbidden(r, verb, kube.Sources, source.Namespace).Text, command, nil
}

func newSourceActionView(r *request) (*sourceActionView, error) {
	chosen, ok := sourceActions[r.PathValue("action")]
	if !ok {
		return nil, notFound(r, "problem.noPage", "/sources", "problem.showSources")
	}
	source, err := getSource(r)
	if err != nil {
		return nil, err
	}
	v := &sourceActionView{
		Source: source, Action: r.PathValue("action"), Verb: r.Text(chosen.verb), Text: r.Text(chosen.text),
		lang: r.lang, chosen: chosen, before: source.DeepCopy(), Delete: chosen.change == nil,
	}
	if v.NotAllowed, v.Grant, err = sourceNotAllowed(r, chosen.right, source); err != nil {
		return nil, err
	}
	if v.Delete {
		v.Change = &objectChange{Kubectl: "kubectl delete marketsource " + quoteForShell(source.Name) + " -n " + source.Namespace}
		err = v.addInstances(r)
	} else {
		chosen.change(source)
		v.Change, err = newSourceChange(v.before, source)
	}
	v.Change.Plugin = taskbuilder.PluginCommand([]string{"source", chosen.command, source.Name, "--namespace", source.Namespace})
	return v, err
}

// newSourceChange returns how a form shows a change of a source.
func newSourceChange(before, after *v1alpha1.MarketSource) (*objectChange, error) {
	return newPatchChange("marketsource", before, after)
}

// addInstances adds the instances of apps of the source that the user can list.
func (v *sourceActionView) addInstances(r *request) error {
	scope, err := r.ScopeFor(r.Context(), kube.Instances)
	if err != nil {
		return err
	}
	all, err := r.server.Cluster.ListInstances(r.Context(), scope)
	for i := range all {
		ref := all[i].Spec.AppRef
		if ref.Source == v.Source.Name && cmp.Or(ref.Namespace, all[i].Namespace) == v.Source.Namespace {
			v.Instances = append(v.Instances, newInstanceRow(r.lang, &all[i]))
		}
	}
	return err
}

// Heading returns the title of the page.
func (v *sourceActionView) Heading() string {
	return v.lang.Text("sourceAction.heading", "Verb", v.Verb, "Name", v.Source.Name)
}

func (v *sourceActionView) view() *view {
	return &view{name: "source-action", titles: []string{v.Heading(), v.lang.Text("sources.title")}, section: "sources", data: v}
}

func showSourceAction(r *request) (*view, error) {
	v, err := newSourceActionView(r)
	if err != nil {
		return nil, err
	}
	return v.view(), nil
}

// submitSourceAction changes or deletes a source.
func submitSourceAction(r *request) (next string, again *view, err error) {
	v, err := newSourceActionView(r)
	if err != nil {
		return "", nil, err
	}
	if !v.Delete {
		return patchSource(r, v.before, v.Source)
	}
	if r.PostFormValue("confirm") != v.Source.Name {
		v.Problem = r.Text("sourceForm.confirmProblem", "Name", v.Source.Name)
		return "", v.view(), nil
	}
	err = r.Writer.Delete(r.Context(), v.Source, client.Preconditions{UID: &v.Source.UID})
	r.logWrite("delete", v.Source, err)
	return "/sources", nil, writeProblemOf(r, err, "delete", kube.Sources, v.Source.Namespace)
}

// patchSource sends a change of a source.
func patchSource(r *request, before, after *v1alpha1.MarketSource) (string, *view, error) {
	err := r.Writer.Patch(r.Context(), after, client.MergeFrom(before))
	r.logWrite("patch", after, err)
	return sourceURL(before.Namespace, before.Name), nil, writeProblemOf(r, err, "patch", kube.Sources, before.Namespace)
}

// newSourceEdit returns the form that changes a source, with the entries of a request.
func newSourceEdit(r *request) (*sourceForm, error) {
	source, err := getSource(r)
	if err != nil {
		return nil, err
	}
	v := &sourceForm{lang: r.lang, Request: sourcebuilder.RequestFor(source), Source: source}
	v.Generation = enteredOr(r, "generation", strconv.FormatInt(source.Generation, 10))
	v.addEntries(r)
	if v.NotAllowed, v.Grant, err = sourceNotAllowed(r, "patch", source); err != nil {
		return nil, err
	}
	v.source = source.DeepCopy()
	if err := sourcebuilder.SetSpec(&v.source.Spec, v.newRequest()); err != nil { // The label selector is invalid.
		v.source = source.DeepCopy()
	}
	v.change, err = newSourceChange(source, v.source)
	return v, err
}

func showSourceEdit(r *request) (*view, error) {
	v, err := newSourceEdit(r)
	if err != nil {
		return nil, err
	}
	return v.view(), nil
}

// submitSourceEdit changes a source, unless it was changed after the form was opened.
func submitSourceEdit(r *request) (next string, again *view, err error) {
	v, err := newSourceEdit(r)
	if err != nil {
		return "", nil, err
	}
	v.checkFields()
	if present := strconv.FormatInt(v.Source.Generation, 10); v.Generation != present {
		v.Generation = present
		v.Errors = append(v.Errors, fieldError{"form", r.Text("sourceForm.source"), r.Text("fieldProblem.sourceChanged")})
	}
	if len(v.Errors) > 0 {
		return "", v.view(), nil
	}
	if isTrial(r) {
		err = r.Writer.Patch(r.Context(), v.source.DeepCopy(), client.MergeFrom(v.Source), client.DryRunAll)
		r.logWrite("patch (dry run)", v.source, err)
		return v.trialResultOf(r, err, "patch")
	}
	err = r.Writer.Patch(r.Context(), v.source, client.MergeFrom(v.Source))
	r.logWrite("patch", v.source, err)
	return v.resultOf(r, err, "patch")
}

// URL returns the URL of the form.
func (v *sourceForm) URL() string {
	if v.Source == nil {
		return "/sources/new"
	}
	return sourceEditURL(v.Source.Namespace, v.Source.Name)
}

// sourceButtons returns the buttons of a source, and why they are disabled.
func sourceButtons(r *request, source *v1alpha1.MarketSource) (buttons []actionButton, notAllowed string, err error) {
	isSuspended := source.Spec.Suspend != nil && *source.Spec.Suspend
	for _, each := range []struct {
		text, url, verb string
		shown           bool
	}{
		{"sourceAction.upload", sourceUploadURL(source.Namespace, source.Name, ""), "get", source.Spec.Type == v1alpha1.SourceTypeUpload},
		{"sourceAction.sync", sourceActionURL(source.Namespace, source.Name, "sync"), "patch", !isSuspended},
		{"sourceAction.change", sourceEditURL(source.Namespace, source.Name), "patch", true},
		{"sourceAction.suspend", sourceActionURL(source.Namespace, source.Name, "suspend"), "patch", !isSuspended},
		{"sourceAction.resume", sourceActionURL(source.Namespace, source.Name, "resume"), "patch", isSuspended},
		{"sourceAction.delete", sourceActionURL(source.Namespace, source.Name, "delete"), "delete", true},
	} {
		if !each.shown {
			continue
		}
		allowed, err := r.Allows(r.Context(), each.verb, kube.Sources, source.Namespace, source.Name)
		if err != nil {
			return nil, "", err
		}
		if !allowed {
			notAllowed = r.Text("problem.cannotChangeSourcesHere")
		}
		buttons = append(buttons, actionButton{Text: r.Text(each.text), URL: each.url, Disabled: !allowed})
	}
	return buttons, notAllowed, nil
}
