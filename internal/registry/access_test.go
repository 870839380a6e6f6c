package registry_test

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	registryserver "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/registry"
)

// requireCredentials wraps a registry that requires basic credentials, for all requests or
// for a token.
func requireCredentials(store http.Handler, user, password string, token string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		gotUser, gotPassword, _ := r.BasicAuth()
		known := gotUser == user && gotPassword == password
		switch {
		case token == "" && !known:
			w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
			w.WriteHeader(http.StatusUnauthorized)
		case token != "" && r.URL.Path == "/token" && known:
			_, _ = fmt.Fprintf(w, `{"token":%q}`, token)
		case token != "" && r.URL.Path == "/token":
			w.WriteHeader(http.StatusForbidden)
		case token != "" && r.Header.Get("Authorization") != "Bearer "+token:
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="s"`, r.Host))
			w.WriteHeader(http.StatusUnauthorized)
		default:
			store.ServeHTTP(w, r)
		}
	}
}

func dockerConfig(key, user, password string) func(*registry.Options) {
	return func(o *registry.Options) {
		auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
		o.DockerConfig = fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}},"credsStore":"never-run"}`, key, auth)
	}
}

func TestCredentialsComeFromTheDockerConfig(t *testing.T) {
	store := registryserver.New(registryserver.Logger(log.New(io.Discard, "", 0)))
	pushImage(t, newServer(t, store), "team/web:1", newImage(t, amd64, 1))
	for _, token := range []string{"", "t0ken"} {
		server := newServer(t, requireCredentials(store, "me", "s3cret", token))
		address := strings.TrimPrefix(server.URL, "http://")
		cases := []struct {
			why  string
			opts func(*registry.Options)
			kind error
		}{
			{"registry by host", dockerConfig(address, "me", "s3cret"), nil},
			{"registry in the form of docker", dockerConfig("https://"+address+"/v1/", "me", "s3cret"), nil},
			{"prefix of the repository", dockerConfig(address+"/team", "me", "s3cret"), nil},
			{"another repository", dockerConfig(address+"/other", "me", "s3cret"), registry.ErrDenied},
			{"another registry, which is mirrored here", dockerConfig(host, "me", "s3cret"), registry.ErrDenied},
			{"a wrong password", dockerConfig(address, "me", "wr0ng"), registry.ErrDenied},
			{"nothing", func(*registry.Options) {}, registry.ErrDenied},
		}
		for _, c := range cases {
			t.Run(c.why+" "+token, func(t *testing.T) {
				g := NewWithT(t)

				detail, err := newClient(t, server, c.opts).Inspect(t.Context(), host+"/team/web:1")

				if c.kind == nil {
					g.Expect(err).NotTo(HaveOccurred())
					g.Expect(images.AccessOf(&detail, err)).To(Equal(images.AccessWithCredentials))
					return
				}
				expectUnavailable(g, err, c.kind)
				g.Expect(images.AccessOf(nil, err)).To(Equal(images.AccessDenied))
				g.Expect(err.Error()).NotTo(Or(ContainSubstring("s3cret"), ContainSubstring("wr0ng"), ContainSubstring("t0ken")))
			})
		}
	}
}

func TestCertificateMustBeTrusted(t *testing.T) {
	g := NewWithT(t)
	server := httptest.NewUnstartedServer(registryserver.New(registryserver.Logger(log.New(io.Discard, "", 0))))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	ref := must[name.Reference](t)(name.ParseReference(strings.TrimPrefix(server.URL, "https://") + "/web:1"))
	g.Expect(remote.Write(ref, newImage(t, amd64, 1), remote.WithTransport(server.Client().Transport))).To(Succeed())

	_, err := newClient(t, server).Inspect(t.Context(), host+"/web:1")
	expectUnavailable(g, err, registry.ErrUnreachable)
	g.Expect(err).To(MatchError(ContainSubstring("certificate")))

	trusting := newClient(t, server, func(o *registry.Options) {
		o.Roots = x509.NewCertPool()
		o.Roots.AddCert(server.Certificate())
	})
	_, err = trusting.Inspect(t.Context(), host+"/web:1")
	g.Expect(err).NotTo(HaveOccurred())
}

// TestCredentialsAreForTheSiteOfTheRegistry has registries that refer to a token server of another owner,
// with a password and with an identity token.
func TestCredentialsAreForTheSiteOfTheRegistry(t *testing.T) {
	var received atomic.Int32
	other := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err != nil || len(body) > 0 || r.Header.Get("Authorization") != "" {
			received.Add(1)
		}
		_, _ = io.WriteString(w, `{"token":"t0ken"}`)
	}))
	realm := strings.Replace(other.URL, "127.0.0.1", "localhost", 1) + "/token"
	redirecting := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			http.Redirect(w, r, realm, http.StatusTemporaryRedirect)
			return
		}
		serveChallenge("http://"+r.Host+"/token")(w, r)
	}
	for why, handler := range map[string]http.HandlerFunc{"a token realm": serveChallenge(realm), "a redirect of the token server": redirecting} {
		for kind, entry := range map[string]string{"a password": `"username":"me","password":"s3cret"`, "an identity token": `"identitytoken":"s3cret"`} {
			t.Run(why+" and "+kind, func(t *testing.T) {
				g := NewWithT(t)
				server := newServer(t, handler)
				address := strings.TrimPrefix(server.URL, "http://")
				client, err := registry.New(registry.Options{
					Network: netguard.Policy{Loopback: true}, DockerConfig: fmt.Appendf(nil, `{"auths":{%q:{%s}}}`, address, entry),
				})
				g.Expect(err).NotTo(HaveOccurred())
				_, err = client.Inspect(t.Context(), address+"/web:1")
				g.Expect(err).To(HaveOccurred())
				if why == "a token realm" {
					g.Expect(err).To(MatchError(registry.ErrUnusableResponse))
					g.Expect(err).To(MatchError(HaveSuffix("a token server of another domain, to which credentials are not sent")))
				}
				g.Expect(received.Load()).To(BeZero(), "the other server receives no credentials")
			})
		}
	}
}
