package pages

import (
	"cmp"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/locale"
)

// isUninstalled reports whether an instance is only the record of an app that was uninstalled.
func isUninstalled(instance *v1alpha1.AppInstance) bool {
	return transitions.StateOf(instance) == transitions.Uninstalled
}

// prepareInstall offers the published versions for an instance that was uninstalled. The task uses its
// configuration again, apart from what the form changes.
func prepareInstall(r *request, v *actionView) (string, error) {
	if !isUninstalled(v.Instance) {
		v.NotAllowed = cmp.Or(v.NotAllowed, r.Text("record.notUninstalled"))
	}
	app, err := findApp(r, v.Instance)
	if err != nil {
		return "", err
	}
	v.addAccount(r)
	v.request.ServiceAccountName = v.Account // A task without one would not use the account of the instance.
	chosen := r.FormValue("choice")
	if app != nil {
		chosen = cmp.Or(chosen, app.Status.SelectedVersion)
	}
	if err := v.addConfiguration(r, app, chosen); err != nil {
		return "", err
	}
	if app == nil {
		v.NotAllowed = cmp.Or(v.NotAllowed, r.Text("action.noApp"))
		return "", nil
	}
	v.NotAllowed = cmp.Or(v.NotAllowed, installProblem(r.lang, app))
	v.ChoiceLabel, v.Choices = r.Text("form.version"), publishedVersions(r.lang, app, chosen)
	if !slices.ContainsFunc(v.Choices, func(o option) bool { return o.Chosen }) {
		return r.Text("action.selectVersion"), nil
	}
	v.request.Version = chosen
	return "", nil
}

// recordView is the form that deletes the record of an uninstalled instance.
type recordView struct {
	Instance          *v1alpha1.AppInstance
	Title             string
	NotAllowed, Grant string
	Command           string

	lang *locale.Language
}

func newRecordView(r *request) (*recordView, error) {
	instance, err := getInstance(r)
	if err != nil {
		return nil, err
	}
	v := &recordView{lang: r.lang, Instance: instance, Title: cmp.Or(instance.Spec.Title, instance.Name)}
	v.Command = "kubectl delete appinstance " + quoteForShell(instance.Name) + " -n " + quoteForShell(instance.Namespace)
	if !isUninstalled(instance) {
		v.NotAllowed = r.Text("record.uninstallFirst")
		return v, nil
	}
	allowed, err := r.Allows(r.Context(), "delete", kube.Instances, instance.Namespace, instance.Name)
	if err == nil && !allowed {
		missing := forbidden(r, "delete", kube.Instances, instance.Namespace)
		v.NotAllowed, v.Grant = missing.Text, missing.Command
	}
	return v, err
}

func (v *recordView) view() *view {
	return &view{
		name: "record", titles: []string{v.lang.Text("record.heading", "Title", v.Title), v.lang.Text("installed.title")}, section: "instances",
		data: v, namespace: v.Instance.Namespace,
	}
}

func showRecord(r *request) (*view, error) {
	v, err := newRecordView(r)
	if err != nil {
		return nil, err
	}
	return v.view(), nil
}

// deleteRecord deletes the record of an uninstalled instance, unless the instance has changed since it was
// read: an instance that is installed again would be uninstalled.
func deleteRecord(r *request) (next string, again *view, err error) {
	v, err := newRecordView(r)
	if err != nil {
		return "", nil, err
	}
	if !isUninstalled(v.Instance) {
		return "", v.view(), nil
	}
	err = r.Writer.Delete(r.Context(), v.Instance, client.Preconditions{UID: &v.Instance.UID, ResourceVersion: &v.Instance.ResourceVersion})
	r.logWrite("delete", v.Instance, err)
	if apierrors.IsNotFound(err) {
		err = nil
	}
	return "/instances", nil, writeProblemOf(r, err, "delete", kube.Instances, v.Instance.Namespace)
}
