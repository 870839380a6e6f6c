// Package pages contains the web pages: one file for each page, with its view model and its
// handler.
//
// A page is a function from a request to a view. The same view serves the whole page and the part
// of it that is live, at the same path below /parts. GET requests change nothing. Forms write objects
// with the credential of the user.
package pages

import (
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/go-logr/logr"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/permissions"
	"github.com/appmarket/operator/ui/assets"
	"github.com/appmarket/operator/ui/images"
	"github.com/appmarket/operator/ui/issuer"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/live"
	"github.com/appmarket/operator/ui/reports"
	"github.com/appmarket/operator/ui/session"
	"github.com/appmarket/operator/ui/terminal"
)

// Options configure the pages.
type Options struct {
	Cluster *kube.Cluster
	Hub     *live.Hub
	Reports *reports.Client
	// RepositoryURL is the URL of the repository to which charts are uploaded, which Reports has checked. If it is
	// empty, the pages do not upload charts.
	RepositoryURL string
	// Images fetches the icons of apps. If it is nil, the pages show letters instead.
	Images  *images.Fetcher
	Cookies *session.Cookies
	// Link is the one-time link by which users sign in, Issuer the issuer of OpenID Connect at which they
	// sign in, and Proxy the proxy that signs them in. If all are nil, they sign in with a token.
	Link   *session.Link
	Issuer *issuer.Issuer
	Proxy  *session.Proxy
	// TrustedProxies are the networks of the proxies whose header X-Forwarded-For names the client.
	TrustedProxies []netip.Prefix
	// SignOutURL is where users of the proxy sign out.
	SignOutURL string
	// LocalAuthority is the host and port under which a local server is reached. Requests for any
	// other host are refused. It is empty if the server is not local.
	LocalAuthority string
	// Terminals are the open terminals. If it is nil, the pages have no terminal.
	Terminals *terminal.Manager
	// SessionMaxAge is the longest time for which a user is signed in.
	SessionMaxAge time.Duration
	// HTTPS reports that users reach the server over HTTPS.
	HTTPS   bool
	Version string
	Log     logr.Logger
}

// Server serves the pages.
type Server struct {
	Options

	templates templates
	logins    *session.Rate
	// tokenChecks holds a token for each check of a token by the API server.
	tokenChecks chan struct{}
	// requests limits the requests of a session, and images its requests for images.
	requests, images *session.Rate
	// exchanges limits the codes that are sent to the issuer, and clientExchanges the codes of a client. checks limits
	// the credentials of a proxy that the API server checks.
	exchanges, clientExchanges, checks *session.Rate
	// names contains the names of the users of the proxy.
	names nameCache
	// logStreams counts the logs that are followed.
	logStreams logSlots
	// uploads sends charts to the repository.
	uploads *uploads
	// analyses limits the requests that parse reports at the same time.
	analyses chan struct{}
	// sessionChecks and userChecks limit the dry runs of forms.
	sessionChecks, userChecks *session.Rate
}

const (
	// loginInterval and loginBurst limit the failed attempts of an address to sign in.
	loginInterval, loginBurst = 12 * time.Second, 5
	// requestInterval and requestBurst limit the requests of a session, except for images. A list has 48 icons.
	requestInterval, requestBurst = time.Second / 20, 60
	imageInterval, imageBurst     = time.Second / 100, 300
)

// New returns the handler of all pages.
func New(o Options) (http.Handler, error) {
	parsed, err := parseTemplates()
	if err != nil {
		return nil, fmt.Errorf("parse templates: %w", err)
	}
	s := &Server{
		Options: o, templates: parsed,
		logins: session.NewRate(loginInterval, loginBurst), tokenChecks: make(chan struct{}, maxTokenChecks),
		requests: session.NewRate(requestInterval, requestBurst), images: session.NewRate(imageInterval, imageBurst),
		exchanges: session.NewRate(exchangeInterval, exchangeBurst), clientExchanges: session.NewRate(2*exchangeInterval, exchangeBurst/2),
		checks: session.NewRate(checkInterval, checkBurst),
		names:  nameCache{known: map[[32]byte]knownName{}}, logStreams: logSlots{sessions: map[string]int{}, users: map[string]int{}},
		uploads: newUploads(), analyses: make(chan struct{}, maxAnalyses),
		sessionChecks: session.NewRate(sessionCheckInterval, sessionCheckBurst), userChecks: session.NewRate(userCheckInterval, userCheckBurst),
	}
	return s.protect(s.routes()), nil
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("GET /assets/", http.StripPrefix("/assets/", assets.Handler()))
	mux.HandleFunc("GET /login", s.showLogin)
	mux.HandleFunc("POST /login", s.logIn)
	mux.HandleFunc("POST /language", s.selectLanguage)
	mux.HandleFunc("GET /login/oidc", s.beginIssuerSignIn)
	mux.HandleFunc("GET "+issuer.CallbackPath, s.finishIssuerSignIn)
	mux.HandleFunc("GET /link", s.showLink)
	mux.HandleFunc("POST /link", s.redeemLink)
	mux.HandleFunc("POST /logout", s.logOut)

	mux.Handle("GET /live", s.signedIn(s.serveLive))
	mux.Handle("GET /{$}", s.signedIn(func(w http.ResponseWriter, r *request) { http.Redirect(w, r.Request, "/apps", http.StatusSeeOther) }))
	for path, page := range map[string]pageFunc{
		"/apps":                                  showDiscover,
		"/apps/{namespace}/{source}/{app}":       showApp,
		"/apps/{namespace}/{source}/{app}/{tab}": showAppTab,
		"/instances":                             showInstalled,
		"/instances/{namespace}/{name}":          showInstance,
		"/instances/{namespace}/{name}/{tab}":    showInstanceTab,
		"/tasks":                                 showTasks,
		"/tasks/{namespace}/{name}":              showTask,
		"/sources":                               showSources,
		"/sources/{namespace}/{name}":            showSource,
		"/about":                                 showAbout,
	} {
		mux.Handle("GET "+path, s.signedIn(s.servePage(page)))
		mux.Handle("GET /parts"+path, s.signedIn(s.servePart(page)))
	}
	s.addForms(mux)
	s.addListingForm(mux)
	s.addChangeForms(mux)
	mux.Handle("GET "+settingsURL, s.signedIn(s.servePage(showSettings)))
	mux.Handle("POST "+settingsURL, s.signedIn(s.saveSettings))
	mux.Handle("GET /parts/checks/{namespace}/{name}", s.signedIn(s.serveCheckPart))
	mux.Handle("GET /img/{namespace}/{app}/icon", s.signedIn(s.serveIcon))
	mux.Handle("GET /img/{namespace}/{app}/shot/{number}", s.signedIn(s.serveShot))
	mux.Handle("GET /img/{namespace}/{app}/readme/{number}", s.signedIn(s.serveReadmeImage))
	mux.Handle("GET /instances/{namespace}/{name}/log", s.signedIn(s.serveLog))
	mux.Handle("GET /instances/{namespace}/{name}/log/stream", s.signedIn(s.serveLogStream))
	s.addTerminal(mux)
	s.addUploads(mux)
	mux.Handle("GET /apps/{namespace}/{source}/{app}/images.txt", s.signedIn(s.serveImageList))
	mux.Handle("GET /apps/{namespace}/{source}/{app}/"+permissions.FileName, s.signedIn(s.servePermissions))
	mux.Handle("GET /apps/{namespace}/{source}/{app}/files/{report}", s.signedIn(s.serveReport))
	mux.Handle("/", s.signedIn(func(w http.ResponseWriter, r *request) {
		s.writeProblem(w, r, notFound(r, "problem.noPage", "/apps", "problem.showApps"))
	}))
	return mux
}

// form is a page with a form. preview returns the view whose part <name>-preview shows what the form
// creates; it is nil if the form has no preview. check returns the dry run of the operation that the
// form requests; it is nil if the form cannot be checked.
type form struct {
	show    pageFunc
	submit  formFunc
	preview pageFunc
	check   checkFunc
}

// addForms adds the routes of all forms.
func (s *Server) addForms(mux *http.ServeMux) {
	install, adopt := installForm{v1alpha1.ActionInstall}, installForm{v1alpha1.ActionAdopt}
	for path, f := range map[string]form{
		"/apps/{namespace}/{source}/{app}/install":         {install.showForm, install.submitForm, install.showPreview, install.checkForm},
		"/apps/{namespace}/{source}/{app}/adopt":           {adopt.showForm, adopt.submitForm, adopt.showPreview, adopt.checkForm},
		"/instances/{namespace}/{name}/actions/{action}":   {showAction, submitAction, showActionPreview, checkAction},
		"/instances/{namespace}/{name}/delete":             {showRecord, deleteRecord, nil, nil},
		"/sources/new":                                     {showNewSource, submitNewSource, showNewSource, nil},
		"/sources/{namespace}/{name}/edit":                 {showSourceEdit, submitSourceEdit, showSourceEdit, nil},
		"/sources/{namespace}/{name}/actions/{action}":     {showSourceAction, submitSourceAction, nil, nil},
		"/sources/{namespace}/{name}/charts/{file}/delete": {showUploadDeletion, deleteUpload, nil, nil},
		"/tasks/{namespace}/{name}/inputs":                 {showInputs, submitInputs, nil, nil},
		"/tasks/{namespace}/{name}/cancel":                 {showCancel, cancelTask, nil, nil},
		"/tasks/{namespace}/{name}/delete":                 {showTaskDeletion, deleteTask, nil, nil},
	} {
		mux.Handle("GET "+path, s.signedIn(s.serveFormPage(f.show)))
		mux.Handle("POST "+path, s.signedIn(s.serveForm(f.submit)))
		if f.preview != nil {
			mux.Handle("POST "+path+"/preview", s.signedIn(s.servePreview(f.preview)))
			mux.Handle("POST "+path+"/manifest", s.signedIn(s.serveManifest(f.preview)))
			mux.Handle("POST "+path+"/fields", s.signedIn(s.serveFields(f.preview)))
			mux.Handle("POST "+path+"/defaults", s.signedIn(s.serveDefaults(f.preview)))
			mux.Handle("POST "+path+"/copy", s.signedIn(s.serveCopiedValue(f.preview)))
		}
		if f.check != nil {
			mux.Handle("POST "+path+"/inputs", s.signedIn(s.serveInputs(f.preview)))
			mux.Handle("POST "+path+"/check", s.signedIn(s.serveCheck(f.check)))
		}
	}
}
