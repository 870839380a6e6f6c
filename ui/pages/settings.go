package pages

import (
	"net/http"
	"strings"
)

// settingsURL is the URL of the page of the settings, and savedURL its URL after they were saved.
const settingsURL, savedURL = "/settings", "/settings?saved=1"

// settingsView is the page of the settings.
type settingsView struct {
	// Language is the code of the selected language, empty for the language of the browser.
	Language          string
	Themes, Densities []option
	// HasShortcuts reports that single keys are shortcuts.
	HasShortcuts bool
	// Namespace is the default namespace, and Namespaces are suggestions.
	Namespace  string
	Namespaces []string
	Errors     []fieldError
	// Saved reports that the settings were saved before the page was opened.
	Saved bool
}

func showSettings(r *request) (*view, error) {
	v := newSettingsView(r, preferencesOf(r.Request))
	v.Saved = r.URL.Query().Get("saved") != ""
	return v.view(r), nil
}

func newSettingsView(r *request, p preferences) *settingsView {
	v := &settingsView{
		Language: p.Language,
		Themes: []option{
			{"", r.Text("settings.asInSystem"), p.Theme == ""}, {themeLight, r.Text("settings.light"), p.Theme == themeLight},
			{themeDark, r.Text("settings.dark"), p.Theme == themeDark},
		},
		Densities: []option{
			{"", r.Text("settings.comfortable"), p.Density == ""}, {densityCompact, r.Text("settings.compact"), p.Density == densityCompact},
		},
		HasShortcuts: p.Shortcuts != shortcutsOff, Namespace: p.Namespace,
	}
	// Without an answer of the API server, the page has no suggestions.
	if scope, err := r.ListNamespaces(r.Context()); err == nil {
		v.Namespaces = scope.Namespaces
	}
	return v
}

func (v *settingsView) view(r *request) *view {
	return &view{name: "settings", titles: []string{r.Text("settings.title")}, section: "settings", data: v}
}

// saveSettings sets the cookies of the settings that a user has submitted.
func (s *Server) saveSettings(w http.ResponseWriter, r *request) {
	if err := parseForm(r); err != nil {
		s.writeError(w, r, err)
		return
	}
	p := preferences{
		Language: r.PostForm.Get("language"), Theme: r.PostForm.Get("theme"), Density: r.PostForm.Get("density"),
		Namespace: strings.TrimSpace(r.PostForm.Get("default-namespace")),
	}
	if r.PostForm.Get("shortcuts") == "" {
		p.Shortcuts = shortcutsOff
	}
	for _, each := range p.cookies() {
		switch {
		case each.isValid(*each.value):
		case each.name == defaultNamespaceCookie:
			v := newSettingsView(r, p)
			v.Errors = []fieldError{{"default-namespace", r.Text("settings.namespace"), r.Text("settings.namespaceInvalid")}}
			s.writeView(w, r, http.StatusUnprocessableEntity, v.view(r))
			return
		default:
			s.writeError(w, r, invalidForm(r, "settings.invalidField"))
			return
		}
	}
	if p.Namespace != preferencesOf(r.Request).Namespace {
		s.setPreference(w, namespaceCookie, "") // The new default counts until the user selects another namespace.
	}
	s.writePreferences(w, p)
	http.Redirect(w, r.Request, savedURL, http.StatusSeeOther)
}
