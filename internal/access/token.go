package access

import (
	"net/http"
	"strings"
)

// TokenOf returns the token of a request: a bearer token, or the password of basic
// authentication with any user name. It returns an empty string if there is none.
func TokenOf(r *http.Request) string {
	if _, password, basic := r.BasicAuth(); basic {
		return password
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
