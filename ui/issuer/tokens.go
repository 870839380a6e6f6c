package issuer

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"
)

const (
	// exchangeTimeout bounds an exchange of a code or a refresh token: the metadata, the token and the
	// keys of the issuer are fetched.
	exchangeTimeout = 20 * time.Second
	// refreshedAge is the time for which the result of a refresh is kept for requests that were sent with
	// the cookies from before it. Many issuers accept a refresh token once.
	refreshedAge = 30 * time.Second
	// maxRefreshed bounds the number of results that are kept.
	maxRefreshed = 1000
)

// Tokens are the tokens of a user.
type Tokens struct {
	// ID is the identity token.
	ID string
	// Refresh is the refresh token, empty if the issuer issued none.
	Refresh string
}

// ExchangeCode returns the tokens for the code of a sign-in.
func (i *Issuer) ExchangeCode(ctx context.Context, code, nonce, verifier string) (Tokens, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	m, config, err := i.tokenClient(ctx)
	if err != nil {
		return Tokens{}, err
	}
	ctx = oidc.ClientContext(ctx, i.http)
	answer, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return Tokens{}, describeFailure(kindOfFailure(err), "exchange the code", err)
	}
	tokens, claims, err := verifyAnswer(ctx, m, answer)
	if err != nil {
		return Tokens{}, err
	}
	if subtle.ConstantTimeCompare([]byte(claims.Nonce), []byte(nonce)) != 1 {
		return Tokens{}, fmt.Errorf("%w: its nonce is not the one of this sign-in", ErrInvalidToken)
	}
	return tokens, nil
}

func (i *Issuer) tokenClient(ctx context.Context) (*metadata, *oauth2.Config, error) {
	m, err := i.fetchMetadata(ctx)
	if err != nil {
		return nil, nil, err
	}
	secret, err := i.readSecret()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return m, i.configFor(m, secret), nil
}

// verifyAnswer returns the tokens of an answer of the token endpoint, and the claims of the identity
// token.
func verifyAnswer(ctx context.Context, m *metadata, answer *oauth2.Token) (Tokens, *oidc.IDToken, error) {
	raw, _ := answer.Extra("id_token").(string)
	if raw == "" {
		return Tokens{}, nil, fmt.Errorf("%w: the answer of the issuer contains none", ErrInvalidToken)
	}
	claims, err := m.verifier.Verify(ctx, raw)
	if err != nil {
		return Tokens{}, nil, describeFailure(ErrInvalidToken, "verify the identity token", err)
	}
	return Tokens{ID: raw, Refresh: answer.RefreshToken}, claims, nil
}

// kindOfFailure returns ErrRefused if the issuer answered that it issues no token.
func kindOfFailure(err error) error {
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode >= 400 && answer.Response.StatusCode < 500 &&
		answer.Response.StatusCode != http.StatusTooManyRequests {
		return ErrRefused
	}
	return ErrUnavailable
}

// refreshes are the refreshes that are under way, and the results of recent ones.
type refreshes struct {
	running singleflight.Group

	mu     sync.Mutex
	recent map[string]refreshed
}

// refreshed is the result of a refresh.
type refreshed struct {
	tokens Tokens
	err    error
	until  time.Time
}

// RefreshTokens returns new tokens for a session with old ones. Concurrent calls, and calls soon after, get
// the same result.
func (i *Issuer) RefreshTokens(old Tokens) (Tokens, error) {
	digest := sha256.Sum256([]byte(old.Refresh))
	key := string(digest[:])
	found, err, _ := i.refreshes.running.Do(key, func() (any, error) {
		if known, ok := i.refreshes.findRecent(key); ok {
			return known.tokens, known.err
		}
		// The result is for all requests of the session, and the refresh token cannot be used again: a
		// request that is canceled does not end it.
		ctx, cancel := context.WithTimeout(context.Background(), exchangeTimeout)
		defer cancel()
		tokens, err := i.refreshOnce(ctx, old)
		age := refreshedAge
		if err != nil {
			age = failureAge
		}
		i.refreshes.addRecent(key, refreshed{tokens, err, time.Now().Add(age)})
		return tokens, err
	})
	return found.(Tokens), err
}

func (i *Issuer) refreshOnce(ctx context.Context, old Tokens) (Tokens, error) {
	m, config, err := i.tokenClient(ctx)
	if err != nil {
		return Tokens{}, err
	}
	ctx = oidc.ClientContext(ctx, i.http)
	answer, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: old.Refresh}).Token()
	if err != nil {
		return Tokens{}, describeFailure(kindOfFailure(err), "refresh the token", err)
	}
	tokens, claims, err := verifyAnswer(ctx, m, answer)
	if err != nil {
		return Tokens{}, err
	}
	before := readClaims(old.ID)
	if claims.Subject != before.Subject || claims.Nonce != "" && claims.Nonce != before.Nonce {
		return Tokens{}, fmt.Errorf("%w: it belongs to another user or sign-in", ErrInvalidToken)
	}
	return tokens, nil
}

// oldClaims are the claims of the token before a refresh.
type oldClaims struct {
	Subject string `json:"sub"`
	Nonce   string `json:"nonce"`
}

// readClaims returns the claims of a token that was verified when it was issued. It returns no claims for
// other text.
func readClaims(token string) oldClaims {
	var claims oldClaims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return oldClaims{}
	}
	return claims
}

func (r *refreshes) findRecent(key string) (refreshed, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.recent[key]
	return known, ok && time.Now().Before(known.until)
}

func (r *refreshes) addRecent(key string, result refreshed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for each, known := range r.recent {
		if !now.Before(known.until) || len(r.recent) >= maxRefreshed {
			delete(r.recent, each)
		}
	}
	r.recent[key] = result
}
