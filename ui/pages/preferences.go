package pages

import (
	"net/http"
	"slices"
	"time"

	"github.com/appmarket/operator/ui/locale"
)

// Cookies of the preferences of a user, apart from locale.Cookie. The pages keep them nowhere else.
const (
	themeCookie            = "appmarket-theme"
	densityCookie          = "appmarket-density"
	shortcutsCookie        = "appmarket-shortcuts"
	defaultNamespaceCookie = "appmarket-default-namespace"
)

// preferenceAge is the time for which a browser keeps a preference.
const preferenceAge = 365 * 24 * time.Hour

// Values of preferences that are not the default.
const (
	themeLight, themeDark = "light", "dark"
	densityCompact        = "compact"
	shortcutsOff          = "off"
)

// preferences are how a user wants to see the pages. An empty field is the default.
type preferences struct {
	// Language is the code of the language. By default, it is the language of the browser.
	Language string
	// Theme is light or dark. By default, it is the color scheme of the system.
	Theme string
	// Density is compact for lists with more rows in a window.
	Density string
	// Shortcuts is off if single keys have no function.
	Shortcuts string
	// Namespace is the namespace that is selected until the user selects another one.
	Namespace string
}

// preferenceCookie is the cookie of a preference.
type preferenceCookie struct {
	name  string
	value *string
	// allowed are the values other than the default. If there are none, the value is the name of a namespace.
	allowed []string
}

// cookies returns the cookies of the preferences.
func (p *preferences) cookies() []preferenceCookie {
	return []preferenceCookie{
		{locale.Cookie, &p.Language, languageCodes()},
		{themeCookie, &p.Theme, []string{themeLight, themeDark}},
		{densityCookie, &p.Density, []string{densityCompact}},
		{shortcutsCookie, &p.Shortcuts, []string{shortcutsOff}},
		{defaultNamespaceCookie, &p.Namespace, nil},
	}
}

// languageCodes returns the codes of the languages of the pages.
func languageCodes() []string {
	var codes []string
	for _, l := range locale.All {
		codes = append(codes, l.Code)
	}
	return codes
}

// isValid reports whether a value is the default or an allowed value.
func (c preferenceCookie) isValid(value string) bool {
	if c.allowed == nil {
		return value == "" || namespaceForm.MatchString(value)
	}
	return value == "" || slices.Contains(c.allowed, value)
}

// preferencesOf returns the preferences in the cookies of a request. A cookie with an invalid value is ignored.
func preferencesOf(r *http.Request) preferences {
	var p preferences
	for _, each := range p.cookies() {
		if found, err := r.Cookie(each.name); err == nil && each.isValid(found.Value) {
			*each.value = found.Value
		}
	}
	return p
}

// writePreferences sets the cookies of preferences, and removes the cookies of defaults.
func (s *Server) writePreferences(w http.ResponseWriter, p preferences) {
	for _, each := range p.cookies() {
		s.setPreference(w, each.name, *each.value)
	}
}

func (s *Server) setPreference(w http.ResponseWriter, name, value string) {
	cookie := &http.Cookie{
		Name: name, Value: value, Path: "/", HttpOnly: true, Secure: s.HTTPS, SameSite: http.SameSiteLaxMode, MaxAge: int(preferenceAge.Seconds()),
	}
	if value == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
}
