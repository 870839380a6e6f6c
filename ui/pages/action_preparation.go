package pages

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/Masterminds/semver/v3"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
	"github.com/appmarket/operator/ui/kube"
)

// prepareUpgrade offers the versions that are newer than the installed one.
func prepareUpgrade(r *request, v *actionView) (string, error) {
	ref := v.Instance.Spec.AppRef
	app := &v1alpha1.AppInfo{}
	err := r.Get(r.Context(), types.NamespacedName{Namespace: cmp.Or(ref.Namespace, v.Instance.Namespace), Name: ref.AppInfoName()}, app)
	if err != nil {
		return "", asProblem(r, err, "get", kube.Apps, cmp.Or(ref.Namespace, v.Instance.Namespace))
	}
	problem := v.addNewerVersions(r, app)
	v.addAccount(r)
	if err := v.addConfiguration(r, app, v.request.Version); err != nil {
		return "", err
	}
	if v.request.Version != "" {
		v.News = newVersionNews(r, app, v.Instance.Status.Version, v.request.Version)
	}
	return problem, nil
}

// addNewerVersions offers the versions that are newer than the installed one, and returns the problem with the
// selected one.
func (v *actionView) addNewerVersions(r *request, app *v1alpha1.AppInfo) string {
	chosen := cmp.Or(r.FormValue("choice"), v.Instance.Status.AvailableUpdate)
	v.ChoiceLabel = r.Text("form.version")
	v.Choices = slices.DeleteFunc(publishedVersions(r.lang, app, chosen), func(o option) bool { return !isNewer(o.Value, v.Instance.Status.Version) })
	if len(v.Choices) == 0 {
		v.NotAllowed = cmp.Or(v.NotAllowed, r.Text("action.noNewerVersion"))
		return ""
	}
	if !slices.ContainsFunc(v.Choices, func(o option) bool { return o.Chosen }) {
		if v.UpToDate = isPrerelease(v.Choices[0].Value); v.UpToDate {
			v.Choices = slices.Insert(v.Choices, 0, option{Chosen: true})
		}
		switch {
		case r.Method == http.MethodPost:
			return r.Text("action.selectVersion")
		case v.UpToDate:
			return ""
		}
		v.Choices[0].Chosen, chosen = true, v.Choices[0].Value
	}
	v.request.Version = chosen
	return ""
}

// isNewer reports whether a version is newer than the installed one. A version that cannot be
// compared is offered as well.
func isNewer(version, installed string) bool {
	a, err := semver.NewVersion(version)
	b, other := semver.NewVersion(installed)
	return errors.Join(err, other) != nil && version != installed || err == nil && other == nil && a.GreaterThan(b)
}

// prepareRollback offers the earlier revisions in the history.
func prepareRollback(r *request, v *actionView) (string, error) {
	v.addAfter(r)
	v.ChoiceLabel = r.Text("action.revision")
	chosen := r.FormValue("choice")
	for _, entry := range transitions.RollbackRevisions(v.Instance) {
		number := strconv.Itoa(int(entry.Revision))
		label := r.Text("action.revisionOption", "Revision", number, "Version", entry.Operation.Version, "Age", formatAge(r.lang, entry.EndedAt.Time))
		v.Choices = append(v.Choices, option{number, label, number == chosen})
	}
	if len(v.Choices) == 0 {
		v.NotAllowed = cmp.Or(v.NotAllowed, r.Text("action.noRevision"))
		return "", nil
	}
	if !slices.ContainsFunc(v.Choices, func(o option) bool { return o.Chosen }) {
		if r.Method == http.MethodPost {
			return r.Text("action.selectRevision"), nil
		}
		selected := v.defaultRevision()
		selected.Chosen, chosen = true, selected.Value
	}
	number, err := strconv.ParseInt(chosen, 10, 32)
	if err != nil {
		return r.Text("action.selectRevision"), nil
	}
	v.request.Revision = int32(number)
	return "", nil
}

// defaultRevision returns the choice that a task without a revision rolls back to.
func (v *actionView) defaultRevision() *option {
	if previous := transitions.PreviousRevision(v.Instance); previous != nil {
		number := strconv.Itoa(int(previous.Revision))
		for i := range v.Choices {
			if v.Choices[i].Value == number {
				return &v.Choices[i]
			}
		}
	}
	return &v.Choices[0]
}
