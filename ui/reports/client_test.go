package reports

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

var digest = strings.Repeat("0f", 32)

// TestOnlyReportsOfTheRepositoryAreFetched gives report URLs as a forged status could have them.
func TestOnlyReportsOfTheRepositoryAreFetched(t *testing.T) {
	c, err := New("http://charts.example:8879/base")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, given := range []struct {
		why, url string
		want     error
	}{
		{"a report", "http://charts.example:8879/base/reports/" + digest + "/", nil},
		{"another host", "http://169.254.169.254/base/reports/" + digest + "/", ErrOrigin},
		{"another port", "http://charts.example:80/base/reports/" + digest + "/", ErrOrigin},
		{"another scheme", "https://charts.example:8879/base/reports/" + digest + "/", ErrOrigin},
		{"a file", "file:///base/reports/" + digest + "/", ErrOrigin},
		{"another path", "http://charts.example:8879/base/secret/reports/" + digest + "/", ErrOrigin},
		{"a path that climbs", "http://charts.example:8879/base/x/../reports/" + digest + "/", ErrOrigin},
		{"a short digest", "http://charts.example:8879/base/reports/abc/", ErrOrigin},
		{"an address that is none", "http://%zz", ErrOrigin},
		{"a host with a user", "http://charts.example:8879@evil.example/base/reports/" + digest + "/", ErrOrigin},
		{"nothing", "", ErrNotFound},
	} {
		t.Run(given.why, func(t *testing.T) {
			g := NewWithT(t)
			address, err := c.addressOf(given.url, Values)
			if given.want != nil {
				g.Expect(err).To(MatchError(given.want))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(address).To(Equal("http://charts.example:8879/base/reports/" + digest + "/values.yaml"))
		})
	}
	for _, url := range []string{"ftp://x", "charts.example", "http://user:secret@charts.example"} {
		_, err := New(url)
		NewWithT(t).Expect(err).To(HaveOccurred(), url)
	}
}

func TestFetch(t *testing.T) {
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:] {
		case Readme:
			_, _ = w.Write([]byte("text for " + r.Header.Get("Authorization")))
		case Values:
			http.Redirect(w, r, other.URL, http.StatusFound)
		case Schema:
			_, _ = w.Write(make([]byte, MaxBytes+1))
		case App:
			w.WriteHeader(http.StatusUnauthorized)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	g := NewWithT(t)
	c, err := New(server.URL)
	g.Expect(err).NotTo(HaveOccurred())
	from := server.URL + "/reports/" + digest + "/"

	text, err := c.Fetch(t.Context(), from, Readme, "secret")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(text)).To(Equal("text for Bearer secret"))
	_, err = c.Fetch(t.Context(), from, Values, "secret")
	g.Expect(err).To(HaveOccurred())
	g.Expect(elsewhere).To(BeZero(), "redirects are not followed")
	_, err = c.Fetch(t.Context(), from, Schema, "")
	g.Expect(err).To(MatchError(ErrTooLarge))
	_, err = c.Fetch(t.Context(), from, App, "")
	g.Expect(err).To(MatchError(ErrForbidden))
	_, err = c.Fetch(t.Context(), from, Images, "")
	g.Expect(err).To(MatchError(ErrNotFound))
	none, err := New("")
	g.Expect(err).NotTo(HaveOccurred())
	_, err = none.Fetch(t.Context(), from, Readme, "")
	g.Expect(err).To(MatchError(ErrNoRepository))
	g.Expect([]bool{c.HasRepository(), none.HasRepository()}).To(Equal([]bool{true, false}))
}
