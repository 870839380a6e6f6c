package pages

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/uploadclient"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/locale"
)

const (
	// maxShownCharts is the number of charts that the page lists.
	maxShownCharts = 200
	// uploadRetryDelay is the time before a request to the repository is repeated.
	uploadRetryDelay = 500 * time.Millisecond
	// listTimeout bounds the requests to the repository that send no chart.
	listTimeout = 10 * time.Second
	// maxProblemBytes bounds a message of the repository.
	maxProblemBytes = 1024
)

// uploadView is the page of the charts that are uploaded to a source.
type uploadView struct {
	Source *v1alpha1.MarketSource
	// NeedsAccount reports that the user has no token of their own: the repository gets a token of the service
	// account Account in the namespace of the source.
	NeedsAccount bool
	Account      string
	// Charts are the first charts of the source, Total is the number of all, and ListProblem says why they
	// cannot be listed.
	Charts      []uploadclient.Chart
	Total       int
	ListProblem string
	// Uploaded is the chart that the user has uploaded. WasKnown reports that the source had it before.
	Uploaded *uploadclient.Chart
	WasKnown bool
	// Problem says why an upload was not accepted.
	Problem string
	// NotAllowed says why the user cannot upload, and Grant is the command that grants the permission.
	NotAllowed, Grant string
	// MaxBytes is the size of the largest archive.
	MaxBytes int64
	// Plugin and Helm are commands that upload the same chart.
	Plugin, Helm string

	lang *locale.Language
}

// newUploadView returns the page for a service account, which is empty for a user with a token.
func newUploadView(r *request, account string) (*uploadView, error) {
	source, err := getSource(r)
	if err != nil {
		return nil, err
	}
	if source.Spec.Type != v1alpha1.SourceTypeUpload {
		return nil, notFound(r, "upload.wrongType", sourceURL(source.Namespace, source.Name), "problem.showSources")
	}
	v := &uploadView{Source: source, NeedsAccount: r.Token() == "", MaxBytes: maxUploadBytes, lang: r.lang}
	v.selectAccount(account)
	return v, v.addPermission(r)
}

// selectAccount sets the service account of a user without a token.
func (v *uploadView) selectAccount(account string) {
	if v.NeedsAccount && len(validation.IsDNS1123Subdomain(account)) == 0 {
		v.Account = account
	}
	v.addCommands()
}

// addPermission adds why the user cannot upload. The rights of a service account are reviewed by the repository.
func (v *uploadView) addPermission(r *request) error {
	switch {
	case r.server.RepositoryURL == "":
		v.NotAllowed = r.Text("upload.noRepository")
	case !v.NeedsAccount:
		allowed, err := r.AllowsUpload(r.Context(), "create", v.Source.Namespace, v.Source.Name)
		if err != nil || allowed {
			return err
		}
		v.NotAllowed = r.Text("upload.notAllowed", "Namespace", v.Source.Namespace)
		v.Grant = grantCommand(r.session.User, "rolebinding", " -n "+v.Source.Namespace, "appmarket-publisher")
	}
	return nil
}

// addCommands adds the commands that upload the same chart.
func (v *uploadView) addCommands() {
	account := v.Account
	if account == "" {
		account = "publisher"
	}
	v.Plugin = taskbuilder.PluginCommand([]string{"push", "web-1.0.0.tgz", "--to", v.Source.Name, "--namespace", v.Source.Namespace, "--service-account", account})
	host := "HOST"
	if parsed, err := url.Parse(v.Source.Status.RepositoryURL); err == nil && parsed.Host != "" {
		host = parsed.Host
	}
	v.Helm = "helm push web-1.0.0.tgz " + quoteForShell("oci://"+host+"/"+v.Source.Namespace+"/"+v.Source.Name)
}

// addCharts adds the charts of the source, and the chart that the URL names as the uploaded one.
func (v *uploadView) addCharts(r *request) {
	if v.NotAllowed != "" || v.NeedsAccount && v.Account == "" {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), listTimeout)
	defer cancel()
	pusher, err := v.newClient(ctx, r)
	var all []uploadclient.Chart
	if err == nil {
		all, err = pusher.List(ctx)
	}
	if err != nil {
		v.ListProblem = uploadProblemOf(r, err)
		return
	}
	v.Total, v.Charts = len(all), all[:min(len(all), maxShownCharts)]
	for i := range all {
		if all[i].File == r.URL.Query().Get("uploaded") {
			v.Uploaded, v.WasKnown = &all[i], r.URL.Query().Get("known") != ""
		}
	}
}

// newClient returns the client for the uploads of the source, with a token of the user or of the account.
func (v *uploadView) newClient(ctx context.Context, r *request) (*uploadclient.Client, error) {
	token, err := r.FetchUploadToken(ctx, v.Source.Namespace, v.Account)
	if err != nil {
		return nil, err
	}
	return &uploadclient.Client{
		URL:   strings.TrimSuffix(r.server.RepositoryURL, "/") + "/upload" + pathOf(v.Source.Namespace, v.Source.Name) + "/",
		Token: token, HTTP: r.server.uploads.http, Delay: uploadRetryDelay,
	}, nil
}

// URL returns the URL of the page.
func (v *uploadView) URL() string {
	return sourceUploadURL(v.Source.Namespace, v.Source.Name, v.Account)
}

// MaxSize returns the size of the largest archive as text.
func (*uploadView) MaxSize() string { return fmt.Sprintf("%d MiB", maxUploadBytes>>20) }

// KnownURL returns the URL that responds whether the source has an archive.
func (v *uploadView) KnownURL() string {
	return sourceUploadURL(v.Source.Namespace, v.Source.Name, "") + "/known"
}

// PartURL returns the URL that receives a part of an archive.
func (v *uploadView) PartURL() string {
	return sourceUploadURL(v.Source.Namespace, v.Source.Name, "") + "/part"
}

// AppsURL returns the URL of the apps of the source.
func (v *uploadView) AppsURL() string {
	return "/apps" + queryOf(url.Values{"source": {v.Source.Name}})
}

// DeleteURL returns the URL of the page that deletes a chart.
func (v *uploadView) DeleteURL(file string) string {
	return pathOf("sources", v.Source.Namespace, v.Source.Name, "charts", file, "delete") + queryOf(url.Values{"account": {v.Account}})
}

// uploadedURL returns the URL of the page that says that a chart was uploaded.
func (v *uploadView) uploadedURL(file string, wasKnown bool) string {
	query := url.Values{"account": {v.Account}, "uploaded": {file}}
	if wasKnown {
		query.Set("known", "yes")
	}
	return pathOf("sources", v.Source.Namespace, v.Source.Name, "upload") + queryOf(query)
}

func (v *uploadView) view() *view {
	return &view{name: "upload", titles: []string{v.lang.Text("upload.title", "Name", v.Source.Name), v.lang.Text("sources.title")}, section: "sources", data: v}
}

// addUploads adds the routes of the page apart from the deletion, which is a form like others.
func (s *Server) addUploads(mux *http.ServeMux) {
	const path = "/sources/{namespace}/{name}/upload"
	mux.Handle("GET "+path, s.signedIn(s.servePage(showUpload)))
	mux.Handle("POST "+path, s.signedIn(s.receiveUpload))
	mux.Handle("GET "+path+"/known", s.signedIn(s.serveKnownUpload))
	mux.Handle("PUT "+path+"/part", s.signedIn(s.receiveUploadPart))
}

// showUpload shows the form and the charts of the source.
func showUpload(r *request) (*view, error) {
	v, err := newUploadView(r, r.URL.Query().Get("account"))
	if err != nil {
		return nil, err
	}
	v.addCharts(r)
	return v.view(), nil
}

// uploadProblemOf returns what a page says about a request to the repository that failed. The messages of the
// repository and of the API server are for the user.
func uploadProblemOf(r *request, err error) string {
	if refused, ok := errors.AsType[*uploadclient.ResponseError](err); ok {
		if refused.Status == http.StatusUnauthorized {
			return r.Text("upload.tokenRejected")
		}
		return text.Truncate(refused.Message, maxProblemBytes)
	}
	if apierrors.ReasonForError(err) != "" {
		return text.Truncate(statusMessage(err), maxProblemBytes)
	}
	r.server.Log.Error(err, "Cannot send a chart to the repository", "user", r.session.User)
	return r.Text("upload.noResponse")
}

// serveKnownUpload responds with the URL of the page to show if the source has an archive with a digest, so that
// it is not sent again.
func (s *Server) serveKnownUpload(w http.ResponseWriter, r *request) {
	query := r.URL.Query()
	v, err := newUploadView(r, query.Get("account"))
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	next, file := "", query.Get("file")
	if v.NotAllowed == "" && (!v.NeedsAccount || v.Account != "") && uploadFilePattern.MatchString(file) {
		ctx, cancel := context.WithTimeout(r.Context(), listTimeout)
		defer cancel()
		pusher, err := v.newClient(ctx, r)
		if err == nil {
			// The upload reports an error better than this request, which only saves it.
			if known, err := pusher.Has(ctx, file, query.Get("digest")); err == nil && known {
				next = v.uploadedURL(file, true)
			}
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	writeBody(w, r.Request, http.StatusOK, next)
}

// uploadDeletionView is the page that deletes an uploaded chart.
type uploadDeletionView struct {
	*uploadView

	File string
}

func (v uploadDeletionView) view() *view {
	return &view{name: "upload-deletion", titles: []string{v.Heading(), v.Source.Name}, section: "sources", data: v}
}

// Heading returns the title of the page.
func (v uploadDeletionView) Heading() string { return v.lang.Text("upload.deleteFile", "File", v.File) }

func newUploadDeletion(r *request) (uploadDeletionView, error) {
	v, err := newUploadView(r, r.URL.Query().Get("account"))
	if err != nil {
		return uploadDeletionView{}, err
	}
	file := r.PathValue("file")
	if !uploadFilePattern.MatchString(file) {
		return uploadDeletionView{}, notFound(r, "problem.noPage", v.URL(), "form.back")
	}
	return uploadDeletionView{v, file}, nil
}

func showUploadDeletion(r *request) (*view, error) {
	v, err := newUploadDeletion(r)
	if err != nil {
		return nil, err
	}
	return v.view(), nil
}

// deleteUpload deletes a chart that no instance has installed.
func deleteUpload(r *request) (next string, again *view, err error) {
	v, err := newUploadDeletion(r)
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), listTimeout)
	defer cancel()
	pusher, err := v.newClient(ctx, r)
	if err == nil {
		err = pusher.Delete(ctx, v.File)
	}
	logUpload(r, "delete", v.Source, v.File, err)
	if err != nil {
		v.Problem = uploadProblemOf(r, err)
		return "", v.view(), nil
	}
	return v.URL(), nil, nil
}

// logUpload logs a request that changes the charts of a source.
func logUpload(r *request, verb string, source *v1alpha1.MarketSource, file string, err error) {
	result := "Succeeded"
	if err != nil {
		result = "Failed"
	}
	r.server.Log.Info("Sent a write to the repository", "user", r.session.User, "verb", verb, "resource", kube.Sources+"/upload",
		"namespace", source.Namespace, "source", source.Name, "file", file, "result", result)
}
