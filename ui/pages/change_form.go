package pages

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	apitypes "k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/locale"
)

// changeForm is the page of a change of an app or an instance that is not an operation.
type changeForm struct {
	// Title is the name of the object, and URL its page.
	Title, URL, Verb, Text     string
	NotAllowed, Grant, Problem string
	// ManagedBy is the GitOps tool that may revert the change, empty if there is none.
	ManagedBy string
	// Generation is the generation of the object that the form shows. It is empty for a form without fields.
	Generation string
	// Policies are the drift policies to select from.
	Policies []option
	// Feature and Parameters are the fields of these changes, nil for others.
	Feature    *featureFields
	Parameters *string
	Change     *objectChange

	lang             *locale.Language
	section, formURL string
	// object is the object to change, and patch the change, nil if there is none.
	object client.Object
	patch  client.Patch
}

// featureFields are the fields of the change of the position of an app in lists.
type featureFields struct {
	Featured string
	Hidden   bool
}

// Heading returns the title of the page.
func (v *changeForm) Heading() string {
	return v.lang.Text("changeForm.heading", "Verb", v.Verb, "Title", v.Title)
}

// PreviewURL returns the URL of the preview of the form.
func (v *changeForm) PreviewURL() string { return previewURL(v.formURL) }

func (v *changeForm) view() *view {
	list, namespace := "app.title", ""
	if v.section == "instances" {
		list, namespace = "installed.title", v.object.GetNamespace()
	}
	return &view{name: "change", titles: []string{v.Heading(), v.lang.Text(list)}, section: v.section, namespace: namespace, data: v}
}

// setRight notes that the user cannot patch the object, if that is so.
func (v *changeForm) setRight(r *request, resource string) error {
	allowed, err := r.Allows(r.Context(), "patch", resource, v.object.GetNamespace(), v.object.GetName())
	if err == nil && !allowed {
		missing := forbidden(r, "patch", resource, v.object.GetNamespace())
		v.NotAllowed, v.Grant = missing.Text, missing.Command
	}
	return err
}

// setMergePatch sets the change to the difference between the object and its earlier state.
func (v *changeForm) setMergePatch(resource string, before client.Object) (err error) {
	v.patch = client.MergeFrom(before)
	v.Change, err = newPatchChange(resource, before, v.object)
	return err
}

// setParameters sets the change to the parameters of an app. A merge patch cannot contain the null values of
// parameters, which remove keys, so that it is a JSON patch.
func (v *changeForm) setParameters(raw []byte) error {
	operation := map[string]any{"op": "add", "path": "/spec/customParams", "value": json.RawMessage(raw)}
	if len(raw) == 0 {
		operation = map[string]any{"op": "remove", "path": "/spec/customParams"}
	}
	patch, err := json.Marshal([]any{operation})
	if err != nil {
		return fmt.Errorf("create patch: %w", err)
	}
	text, err := yaml.JSONToYAML(patch)
	if err != nil {
		return fmt.Errorf("write patch: %w", err)
	}
	v.patch = client.RawPatch(apitypes.JSONPatchType, patch)
	v.Change = &objectChange{Patch: string(text), Kubectl: kubectlPatch("appinfo", v.object, "json", patch)}
	return nil
}

// addGeneration adds the generation of the object to a form with fields, and notes a change of the object after the
// form was opened.
func (v *changeForm) addGeneration(r *request) {
	present := strconv.FormatInt(v.object.GetGeneration(), 10)
	if v.Generation = present; r.Method == http.MethodPost && r.PostFormValue("generation") != present {
		v.Problem = r.Text("changeForm.changed")
	}
}

// submit sends the change. It returns the form if a field has a problem.
func (v *changeForm) submit(r *request, resource string) (next string, again *view, err error) {
	if v.ManagedBy != "" && r.PostFormValue("anyway") == "" {
		v.Problem = r.Text("action.notConfirmed", "Tool", v.ManagedBy)
	}
	if v.Problem != "" {
		return "", v.view(), nil
	}
	if v.patch == nil { // Nothing is changed.
		return v.URL, nil, nil
	}
	err = r.Writer.Patch(r.Context(), v.object, v.patch)
	r.logWrite("patch", v.object, err)
	return v.URL, nil, writeProblemOf(r, err, "patch", resource, v.object.GetNamespace())
}

// requestReconcile sets the annotation that requests a reconciliation.
func requestReconcile(object client.Object) {
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.ReconcileRequestAnnotation] = time.Now().UTC().Format(time.RFC3339Nano)
	object.SetAnnotations(annotations)
}

// newPatchChange returns how a form shows the change of an object of a resource.
func newPatchChange(resource string, before, after client.Object) (*objectChange, error) {
	patch, err := client.MergeFrom(before).Data(after)
	if err != nil {
		return nil, fmt.Errorf("create patch: %w", err)
	}
	text, err := yaml.JSONToYAML(patch)
	if err != nil {
		return nil, fmt.Errorf("write patch: %w", err)
	}
	if string(patch) == "{}" {
		return &objectChange{}, nil
	}
	return &objectChange{Patch: string(text), Kubectl: kubectlPatch(resource, after, "merge", patch)}, nil
}

// kubectlPatch returns the command of kubectl that sends a patch.
func kubectlPatch(resource string, object client.Object, kind string, patch []byte) string {
	return strings.Join([]string{
		"kubectl patch", resource, quoteForShell(object.GetName()), "-n", object.GetNamespace(), "--type=" + kind, "-p", quoteForShell(string(patch)),
	}, " ")
}

// addChangeForms adds the routes of the changes of apps and instances, and of the upgrades of several instances.
func (s *Server) addChangeForms(mux *http.ServeMux) {
	for path, f := range map[string]form{
		"/apps/{namespace}/{source}/{app}/changes/{change}": {show: showAppChange, submit: submitAppChange},
		"/instances/{namespace}/{name}/changes/{change}":    {show: showInstanceChange, submit: submitInstanceChange},
		upgradesURL: {show: showUpgrades, submit: submitUpgrades},
	} {
		mux.Handle("GET "+path, s.signedIn(s.serveFormPage(f.show)))
		mux.Handle("POST "+path, s.signedIn(s.serveForm(f.submit)))
		mux.Handle("POST "+previewURL(path), s.signedIn(s.servePreview(f.show)))
	}
}
