package pages

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/appmarket/operator/ui/live"
	"github.com/appmarket/operator/ui/locale"
)

// view is what a page shows.
type view struct {
	// name is the template of the page. The template of its live part is name-part.
	name string
	// titles is the title of the page, from the particular to the general.
	titles []string
	// section is the entry of the navigation to which the page belongs.
	section string
	// topics are what the live part follows.
	topics []live.Topic
	// namespace is the namespace of the object that the page shows. It is empty for a list, which shows
	// the namespace that the user has selected.
	namespace string
	// query is the text in the search field.
	query string
	// styleNonce is the nonce of style elements that the script of the page creates, empty for none.
	styleNonce string
	// status is the HTTP status of the answer to a form if it is not the one for errors.
	status int
	data   any
}

// pageFunc reads what a page shows. An error is shown as a page of its own.
type pageFunc func(*request) (*view, error)

// layout is what every page of a signed-in user has.
type layout struct {
	Title, Section, Query string
	User                  string
	Namespace             string
	Namespaces            []string
	// RunningTasks is the number of tasks that have not finished where the user looks.
	RunningTasks int
	// TypedNamespace reports that there are too many namespaces for a list.
	TypedNamespace bool
	Live           string
	Body           template.HTML
	// Path is the path of the page.
	Path string
	// ShowNamespaces reports that the page lists objects of one namespace.
	ShowNamespaces bool
	// NamespacePath is the path of the page that is shown after another namespace is selected.
	NamespacePath string
	Preferences   preferences
}

// bodyOf is the view model of a page: its data and its rendered live part.
type bodyOf struct {
	Data any
	Part template.HTML
}

// partOf is the view model around a live part.
type partOf struct {
	URL, Trigger string
	Content      template.HTML
}

func (s *Server) servePage(load pageFunc) func(http.ResponseWriter, *request) {
	return func(w http.ResponseWriter, r *request) {
		v, err := load(r)
		if err != nil {
			s.writeError(w, r, err)
			return
		}
		s.writeView(w, r, http.StatusOK, v)
	}
}

// servePart serves the live part of a page alone. It answers with 304 if the part is as before.
func (s *Server) servePart(load pageFunc) func(http.ResponseWriter, *request) {
	return func(w http.ResponseWriter, r *request) {
		v, err := load(r)
		if err != nil {
			s.writeError(w, r, err)
			return
		}
		part, err := s.renderPart(r, v)
		if err != nil {
			s.failRendering(w, err)
			return
		}
		if strings.HasSuffix(r.Header.Get("HX-Source"), "#search") {
			w.Header().Set("HX-Replace-Url", pagePath(r)+queryOf(r.URL.Query()))
		}
		writePart(w, r, part)
	}
}

// writePart writes a part of a page, or 304 if the browser has the same part.
func writePart(w http.ResponseWriter, r *request, part template.HTML) {
	digest := sha256.Sum256([]byte(part))
	tag := `W/"` + hex.EncodeToString(digest[:12]) + `"`
	header := w.Header()
	header.Set("Cache-Control", "private, no-cache")
	header.Set("ETag", tag)
	header.Set("Vary", varyByLanguage+", HX-Request")
	header.Set("Content-Type", "text/html; charset=utf-8")
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	writeBody(w, r.Request, http.StatusOK, string(part))
}

// pagePath returns the path of the page of a request for the page or for its part.
func pagePath(r *request) string { return strings.TrimPrefix(r.URL.EscapedPath(), "/parts") }

// queryOf returns a query without empty values, with its question mark.
func queryOf(values url.Values) string {
	kept := url.Values{}
	for name, all := range values {
		for _, value := range all {
			if value != "" {
				kept.Add(name, value)
			}
		}
	}
	if len(kept) == 0 {
		return ""
	}
	return "?" + kept.Encode()
}

func (s *Server) renderPart(r *request, v *view) (template.HTML, error) {
	content, err := s.templates.render(r.lang, v.name+"-part", v.data)
	if err != nil {
		return "", err
	}
	var triggers []string
	for _, topic := range v.topics {
		triggers = append(triggers, topic.Signal()+" from:body delay:100ms")
	}
	triggers = append(triggers, "refresh from:body")
	return s.templates.render(r.lang, "part", partOf{
		URL: "/parts" + pagePath(r) + queryOf(r.URL.Query()), Trigger: strings.Join(triggers, ", "), Content: content,
	})
}

func (s *Server) writeView(w http.ResponseWriter, r *request, status int, v *view) {
	part := template.HTML("")
	var err error
	if len(v.topics) > 0 {
		if part, err = s.renderPart(r, v); err != nil {
			s.failRendering(w, err)
			return
		}
	}
	body, err := s.templates.render(r.lang, v.name, bodyOf{Data: v.data, Part: part})
	if err != nil {
		s.failRendering(w, err)
		return
	}
	l := layout{
		Title: strings.Join(append(slices.Clone(v.titles), "AppMarket"), " · "), Section: v.section, Query: v.query,
		User: r.session.User, Live: liveURL(v.topics, r.begun), Body: body, Path: pagePath(r), Preferences: preferencesOf(r.Request),
		ShowNamespaces: v.name != "install" && slices.Contains([]string{"apps", "instances", "tasks", "about"}, v.section),
		NamespacePath:  "/" + v.section,
	}
	if v.name == "app" {
		l.NamespacePath = pagePath(r)
	}
	s.addNamespaces(r, &l)
	l.Namespace = cmp.Or(v.namespace, l.Namespace)
	if status == http.StatusOK {
		s.rememberNamespace(w, r)
	}
	page, err := s.templates.render(r.lang, "layout", l)
	if err != nil {
		s.failRendering(w, err)
		return
	}
	if v.styleNonce != "" {
		w.Header().Set("Content-Security-Policy", policyWithStyleNonce(v.styleNonce))
	}
	s.writeHTML(w, r.Request, status, page)
}

// writeSignIn writes a page for a user who is not signed in.
func (s *Server) writeSignIn(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	l := locale.Of(r)
	body, err := s.templates.render(l, name, data)
	if err == nil {
		body, err = s.templates.render(l, "plain", layout{Title: l.Text("signIn.title") + " · AppMarket", Body: body, Preferences: preferencesOf(r)})
	}
	if err != nil {
		s.failRendering(w, err)
		return
	}
	s.writeHTML(w, r, status, body)
}

func (s *Server) writeHTML(w http.ResponseWriter, r *http.Request, status int, page template.HTML) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Vary", varyByLanguage)
	writeBody(w, r, status, string(page))
}

func (s *Server) failRendering(w http.ResponseWriter, err error) {
	s.Log.Error(err, "Cannot render a page")
	http.Error(w, "internal error", http.StatusInternalServerError)
}
