package pages

import (
	"net/http"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/sourcebuilder"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/locale"
)

// reviewVerb is the RBAC verb for AppInfos of users who see drafts.
const reviewVerb = "review"

// reviewView is the review of an app.
type reviewView struct {
	*v1alpha1.AppReview

	// Listed is the condition Listed, nil if it does not exist.
	Listed  *metav1.Condition
	Buttons []actionButton
	// CannotChange says that the user cannot use some of the buttons, empty if the user can use all.
	CannotChange string
}

// showReview adds the review of the app, and the buttons that change its listing.
func showReview(r *request, v *appView) {
	review := v.App.Status.Review
	if review == nil {
		return
	}
	v.Review = &reviewView{AppReview: review, Listed: meta.FindStatusCondition(v.App.Status.Conditions, v1alpha1.ConditionListed)}
	for _, change := range sourcebuilder.ListingChanges {
		if change.Listing == review.Listing {
			continue
		}
		why, _, err := listingNotAllowed(r, change, v.App)
		if err != nil {
			r.server.Log.Error(err, "Cannot review the permission to change the listing", "app", client.ObjectKeyFromObject(v.App))
			v.Note = r.Text("review.cannotChange")
			return
		}
		if why != "" {
			v.Review.CannotChange = r.Text("review.cannotChange")
		}
		v.Review.Buttons = append(v.Review.Buttons, actionButton{
			Text: r.Text("review." + change.Command), URL: listingURL(v.App, change.Command), Disabled: why != "",
			Main: change.Listing == v1alpha1.ListingListed && review.CanBeListed,
		})
	}
}

// listingNotAllowed returns why the user cannot change the listing of an app, and the command that grants
// the permission. Both are empty if the user can.
func listingNotAllowed(r *request, change sourcebuilder.ListingChange, app *v1alpha1.AppInfo) (why, grant string, err error) {
	for _, verb := range []string{"patch", change.Verb} {
		allowed, err := r.Allows(r.Context(), verb, kube.Apps, app.Namespace, app.Name)
		if err != nil {
			return "", "", err
		}
		if !allowed {
			return r.Text("review.cannotChange"), grantCommand(r.session.User, "rolebinding", " -n "+app.Namespace, "appmarket-reviewer"), nil
		}
	}
	return "", "", nil
}

// listingView is the form that changes the listing of an app.
type listingView struct {
	App               *v1alpha1.AppInfo
	Title, Verb, Text string
	NotAllowed, Grant string
	Change            *objectChange

	lang   *locale.Language
	change sourcebuilder.ListingChange
}

func newListingView(r *request) (*listingView, error) {
	change, ok := sourcebuilder.FindListingChange(r.PathValue("action"))
	if !ok {
		return nil, notFound(r, "problem.noPage", "/apps", "problem.showApps")
	}
	app, err := getApp(r)
	if err != nil {
		return nil, err
	}
	v := &listingView{App: app, lang: r.lang, change: change, Verb: r.Text("review." + change.Command), Text: r.Text("review." + change.Command + "Text")}
	v.Title = titleOfApp(app)
	if v.NotAllowed, v.Grant, err = listingNotAllowed(r, change, app); err != nil {
		return nil, err
	}
	v.Change = &objectChange{Plugin: change.PluginCommand(app.Namespace, app.Spec.SourceRef.Name, app.Spec.App)}
	if v.Change.Patch, err = change.Patch(); err != nil {
		return nil, err
	}
	v.Change.Kubectl, err = change.KubectlCommand(app.Namespace, app.Name)
	return v, err
}

// Heading returns the title of the page.
func (v *listingView) Heading() string {
	return v.lang.Text("review.heading", "Verb", v.Verb, "Title", v.Title)
}

// URL returns the URL of the review of the app.
func (v *listingView) URL() string {
	return appTabURL(v.App.Namespace, v.App.Spec.SourceRef.Name, v.App.Spec.App, "review")
}

func showListing(r *request) (*view, error) {
	v, err := newListingView(r)
	if err != nil {
		return nil, err
	}
	return &view{name: "listing", titles: []string{v.Heading(), v.lang.Text("app.title")}, section: "apps", data: v}, nil
}

// submitListing changes the listing of an app.
func submitListing(r *request) (next string, again *view, err error) {
	v, err := newListingView(r)
	if err != nil {
		return "", nil, err
	}
	before := client.MergeFrom(v.App.DeepCopy())
	v.App.Spec.Listing = v.change.Listing
	err = r.Writer.Patch(r.Context(), v.App, before)
	r.logWrite("patch", v.App, err)
	return v.URL(), nil, writeProblemOf(r, err, "patch", kube.Apps, v.App.Namespace)
}

// listingProblem returns why an app cannot be installed because of its listing, empty if it can.
func listingProblem(l *locale.Language, app *v1alpha1.AppInfo) string {
	switch kube.ListingOf(app) {
	case v1alpha1.ListingDraft:
		return l.Text("review.installDraft")
	case v1alpha1.ListingSuspended:
		return l.Text("review.installSuspended")
	case v1alpha1.ListingWithdrawn:
		return l.Text("review.installWithdrawn")
	}
	return ""
}

// hiddenDrafts returns a function that reports whether an app is not listed, and the user may not review
// the apps of its namespace.
func hiddenDrafts(r *request) func(*kube.AppRow) bool {
	reviewers := map[string]bool{}
	return func(row *kube.AppRow) bool {
		if row.Listing != v1alpha1.ListingDraft && row.Listing != v1alpha1.ListingWithdrawn {
			return false
		}
		allowed, isKnown := reviewers[row.Namespace]
		if !isKnown {
			// If the API server does not decide, drafts are hidden.
			allowed, _ = r.Allows(r.Context(), reviewVerb, kube.Apps, row.Namespace, "")
			reviewers[row.Namespace] = allowed
		}
		return !allowed
	}
}

// mayInstallDraft reports whether an app is a draft, and the user may review it.
func mayInstallDraft(r *request, app *v1alpha1.AppInfo) (bool, error) {
	if kube.ListingOf(app) != v1alpha1.ListingDraft || app.Spec.Withdrawn || len(app.Status.Versions) == 0 {
		return false, nil
	}
	return r.Allows(r.Context(), reviewVerb, kube.Apps, app.Namespace, app.Name)
}

// addListingForm adds the form that changes the listing of an app.
func (s *Server) addListingForm(mux *http.ServeMux) {
	const path = "/apps/{namespace}/{source}/{app}/listing/{action}"
	mux.Handle("GET "+path, s.signedIn(s.serveFormPage(showListing)))
	mux.Handle("POST "+path, s.signedIn(s.serveForm(submitListing)))
}
