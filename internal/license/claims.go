package license

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4/json"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// claims is the payload of a credential, in as far as it counts. A member that
// is given twice makes it unreadable.
type claims struct {
	jwt.Claims
	Product   string `json:"product"`
	ProductID string `json:"product_id"`
	// Credential is a verifiable credential within a token.
	Credential struct {
		Subject subjects `json:"credentialSubject"`
	} `json:"vc"`
}

// subjects is one subject of a verifiable credential, or a list of them.
type subjects []subject

type subject struct {
	Product   string `json:"product"`
	ProductID string `json:"productId"`
}

func (s *subjects) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		return json.Unmarshal(text, (*[]subject)(s))
	}
	var one subject
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	*s = subjects{one}
	return nil
}

// products are those that the credential names, each once.
func (c claims) productNames() []string {
	all := []string{c.Product, c.ProductID}
	for _, each := range c.Credential.Subject {
		all = append(all, each.Product, each.ProductID)
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(name string) bool { return name == "" })
}

// latest is the last moment that can be written in a status.
var maxExpiry = time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)

// accept reads a payload whose signature is right.
func (t Terms) readClaims(payload []byte, now time.Time) (Claims, error) {
	var said claims
	if err := json.Unmarshal(payload, &said); err != nil {
		return Claims{}, invalidError("what it says cannot be read; ask issuer %q for a new one", t.Issuer)
	}
	if err := t.checkProduct(said.productNames()); err != nil {
		return Claims{}, err
	}
	if said.Expiry == nil {
		return Claims{}, invalidError("it has no end (exp); ask issuer %q for one that has", t.Issuer)
	}
	expected := jwt.Expected{Issuer: t.Issuer, Subject: t.Subject, Time: now}
	if err := said.ValidateWithLeeway(expected, t.allowedSkew()); err != nil {
		return Claims{}, t.claimsError(err)
	}
	expires := said.Expiry.Time().UTC()
	if expires.After(maxExpiry) {
		expires = maxExpiry
	}
	return Claims{Issuer: said.Issuer, Product: t.Product, Subject: said.Subject, Expires: expires}, nil
}

func (t Terms) checkProduct(named []string) error {
	switch {
	case len(named) == 0:
		return invalidError("it names no product; ask issuer %q for one for product %q", t.Issuer, t.Product)
	case len(named) > 1:
		return invalidError("it names several products; ask issuer %q for one for product %q alone", t.Issuer, t.Product)
	case named[0] != t.Product:
		return invalidError("it is for another product than %q; give the one that was bought for this app", t.Product)
	}
	return nil
}

// explain says what to do about claims that are not as expected.
func (t Terms) claimsError(err error) error {
	switch {
	case errors.Is(err, jwt.ErrExpired):
		return outcome.Stalled(v1alpha1.ReasonLicenseExpired, fmt.Errorf(
			"check credential: it has expired; renew the licence of product %q with issuer %q", t.Product, t.Issuer))
	case errors.Is(err, jwt.ErrNotValidYet), errors.Is(err, jwt.ErrIssuedInTheFuture):
		return outcome.Stalled(v1alpha1.ReasonLicenseNotYetValid, fmt.Errorf(
			"check credential: it is not valid yet; wait until it is, or ask issuer %q for another", t.Issuer))
	case errors.Is(err, jwt.ErrInvalidSubject):
		return invalidError("it was issued to another subject; give the one that was issued to the expected subject")
	}
	return invalidError("it is not from issuer %q; give the one that this issuer sent", t.Issuer)
}
