package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	// metadataAge is the time after which the metadata of the issuer is fetched again.
	metadataAge = time.Hour
	// failureAge is the time for which a failure to fetch it is remembered.
	failureAge = 3 * time.Second
	// CallbackPath is the path of the page to which the issuer sends users back.
	CallbackPath = "/login/callback"
	// signedOutPath is the path of the page to which the issuer sends users after they signed out.
	signedOutPath = "/login"
)

// Errors, by which a caller decides what to show.
var (
	// ErrUnavailable means that the issuer did not respond as an issuer does.
	ErrUnavailable = errors.New("the issuer is not available")
	// ErrRefused means that the issuer did not accept a code or a refresh token.
	ErrRefused = errors.New("the issuer did not issue a token")
	// ErrInvalidToken means that a token of the issuer is not for this user or this program.
	ErrInvalidToken = errors.New("the identity token is not valid")
)

// Options configure an Issuer.
type Options struct {
	// URL is the URL of the issuer, and ClientID the name of this program there.
	URL, ClientID string
	// SecretFile is the file with the client secret. It is read for each request. If it is empty, the
	// client has no secret.
	SecretFile string
	// CAFile is the file with the certificates that are trusted. If it is empty, these are the
	// certificates of the system.
	CAFile string
	Scopes []string
	// PublicURL is the URL of the pages, without a path.
	PublicURL string
	UserAgent string
}

// Issuer signs users in. It is safe for concurrent use.
type Issuer struct {
	options Options
	host    string
	http    *http.Client

	mu       sync.Mutex
	known    *metadata
	nextTry  time.Time
	lastFail error

	refreshes refreshes
}

// metadata is the content of the discovery document of the issuer.
type metadata struct {
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
	endpoint oauth2.Endpoint
	// signOutURL is empty if the issuer does not offer to end sessions.
	signOutURL string
}

// New returns an Issuer. It does not connect to the issuer.
func New(o Options) (*Issuer, error) {
	parsed, err := url.Parse(o.URL)
	if err != nil || parsed.Scheme != "https" || parsed.Host == "" || parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" {
		return nil, fmt.Errorf("issuer URL %q: must be an https URL without user, query and fragment", o.URL)
	}
	if o.ClientID == "" {
		return nil, errors.New("client ID: must not be empty")
	}
	if !slices.Contains(o.Scopes, oidc.ScopeOpenID) {
		o.Scopes = append([]string{oidc.ScopeOpenID}, o.Scopes...)
	}
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	client, err := newHTTPClient(parsed, o)
	if err != nil {
		return nil, err
	}
	i := &Issuer{options: o, host: parsed.Host, http: client, refreshes: refreshes{recent: map[string]refreshed{}}}
	_, err = i.readSecret()
	return i, err
}

// Host returns the host of the issuer, as a name for users.
func (i *Issuer) Host() string { return i.host }

// URL returns the URL that identifies the issuer.
func (i *Issuer) URL() string { return i.options.URL }

// fetchMetadata returns the metadata of the issuer, which is cached. Old metadata is used as long as the
// issuer does not respond.
func (i *Issuer) fetchMetadata(ctx context.Context) (*metadata, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now()
	if now.Before(i.nextTry) {
		return i.known, i.lastFail
	}
	fetched, err := i.discover(ctx)
	switch {
	case err == nil:
		i.known, i.lastFail, i.nextTry = fetched, nil, now.Add(metadataAge)
	case i.known != nil:
		i.lastFail, i.nextTry = nil, now.Add(failureAge)
	case ctx.Err() == nil:
		i.lastFail, i.nextTry = err, now.Add(failureAge)
	default:
		return nil, err
	}
	return i.known, i.lastFail
}

func (i *Issuer) discover(ctx context.Context) (*metadata, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, i.http), i.options.URL)
	if err != nil {
		return nil, describeFailure(ErrUnavailable, "fetch the metadata of the issuer", err)
	}
	var more struct {
		SignOutURL string   `json:"end_session_endpoint"`
		KeysURL    string   `json:"jwks_uri"`
		Methods    []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := provider.Claims(&more); err != nil {
		return nil, fmt.Errorf("%w: its metadata is not valid", ErrUnavailable)
	}
	m := &metadata{provider: provider, endpoint: provider.Endpoint(), verifier: provider.Verifier(&oidc.Config{ClientID: i.options.ClientID})}
	for name, address := range map[string]string{
		"authorization_endpoint": m.endpoint.AuthURL, "token_endpoint": m.endpoint.TokenURL, "jwks_uri": more.KeysURL,
	} {
		if !isHTTPS(address) {
			return nil, fmt.Errorf("%w: %s in its metadata is no https URL", ErrUnavailable, name)
		}
	}
	if isHTTPS(more.SignOutURL) {
		m.signOutURL = more.SignOutURL
	}
	m.endpoint.AuthStyle = oauth2.AuthStyleInHeader // The default of OpenID Connect.
	if i.options.SecretFile == "" || len(more.Methods) > 0 && !slices.Contains(more.Methods, "client_secret_basic") {
		m.endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return m, nil
}

func isHTTPS(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && parsed.Scheme == "https" && parsed.Host != ""
}

// SignInURL returns the address at the issuer where a user signs in.
func (i *Issuer) SignInURL(ctx context.Context, state, nonce, verifier string) (string, error) {
	m, err := i.fetchMetadata(ctx)
	if err != nil {
		return "", err
	}
	return i.configFor(m, "").AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), nil
}

// SignOutURL returns the address at the issuer that ends the session of the user there. It is empty
// if the issuer offers none. It does not contain the identity token, because that is a credential of
// the API server, and addresses are recorded by browsers and servers. The issuer may therefore ask the
// user to confirm.
func (i *Issuer) SignOutURL(ctx context.Context) (string, error) {
	m, err := i.fetchMetadata(ctx)
	if err != nil || m.signOutURL == "" {
		return "", err
	}
	address, err := url.Parse(m.signOutURL)
	if err != nil {
		return "", err
	}
	query := address.Query()
	query.Set("client_id", i.options.ClientID)
	query.Set("post_logout_redirect_uri", i.options.PublicURL+signedOutPath)
	address.RawQuery = query.Encode()
	return address.String(), nil
}

func (i *Issuer) configFor(m *metadata, secret string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: i.options.ClientID, ClientSecret: secret, Endpoint: m.endpoint,
		RedirectURL: i.options.PublicURL + CallbackPath, Scopes: i.options.Scopes,
	}
}

// readSecret returns the client secret, empty if the client has none.
func (i *Issuer) readSecret() (string, error) {
	if i.options.SecretFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(i.options.SecretFile)
	if err != nil {
		return "", fmt.Errorf("read client secret: %w", err)
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		return "", fmt.Errorf("read client secret: %s is empty", i.options.SecretFile)
	}
	return secret, nil
}
