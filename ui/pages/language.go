package pages

import (
	"net/http"
	"time"

	"github.com/appmarket/operator/ui/locale"
)

// varyByLanguage is the value of the header Vary of a response that depends on the language of the user.
const varyByLanguage = "Accept-Language, Cookie"

// languageAge is the time for which a browser keeps the selected language.
const languageAge = 365 * 24 * time.Hour

// selectLanguage keeps the language that a user selects on the page for signing in.
func (s *Server) selectLanguage(w http.ResponseWriter, r *http.Request) {
	if l := locale.ByCode(r.PostFormValue("language")); l != nil {
		http.SetCookie(w, &http.Cookie{
			Name: locale.Cookie, Value: l.Code, Path: "/", MaxAge: int(languageAge.Seconds()),
			HttpOnly: true, Secure: s.HTTPS, SameSite: http.SameSiteLaxMode,
		})
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}
