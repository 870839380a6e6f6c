package pages

import (
	"net/http"

	"github.com/appmarket/operator/ui/locale"
)

// varyByLanguage is the value of the header Vary of a response that depends on the language of the user.
const varyByLanguage = "Accept-Language, Cookie"

// selectLanguage keeps the language that a user selects on the page for signing in.
func (s *Server) selectLanguage(w http.ResponseWriter, r *http.Request) {
	if l := locale.ByCode(r.PostFormValue("language")); l != nil {
		s.setPreference(w, locale.Cookie, l.Code)
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}
