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

// claims is the part of the payload of a credential that is verified. A member that occurs
// twice makes the payload invalid.
type claims struct {
	jwt.Claims
	Product   string `json:"product"`
	ProductID string `json:"product_id"`
	// Credential is a verifiable credential in the token.
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

// productNames returns the distinct products in the claims.
func (c claims) productNames() []string {
	all := []string{c.Product, c.ProductID}
	for _, each := range c.Credential.Subject {
		all = append(all, each.Product, each.ProductID)
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(name string) bool { return name == "" })
}

// maxExpiry is the latest time that can be stored in a status.
var maxExpiry = time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)

// readClaims verifies the claims in a payload whose signature has been verified.
func (t Terms) readClaims(payload []byte, now time.Time) (Claims, error) {
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return Claims{}, invalidError("the payload cannot be parsed; request a new credential from issuer %q", t.Issuer)
	}
	if err := t.checkProduct(c.productNames()); err != nil {
		return Claims{}, err
	}
	if c.Expiry == nil {
		return Claims{}, invalidError("the claim exp is missing; request a credential with exp from issuer %q", t.Issuer)
	}
	expected := jwt.Expected{Issuer: t.Issuer, Subject: t.Subject, Time: now}
	if err := c.ValidateWithLeeway(expected, t.allowedSkew()); err != nil {
		return Claims{}, t.claimsError(err)
	}
	expires := c.Expiry.Time().UTC()
	if expires.After(maxExpiry) {
		expires = maxExpiry
	}
	return Claims{Issuer: c.Issuer, Product: t.Product, Subject: c.Subject, Expires: expires}, nil
}

func (t Terms) checkProduct(named []string) error {
	switch {
	case len(named) == 0:
		return invalidError("the product claim is missing; request a credential for product %q from issuer %q", t.Product, t.Issuer)
	case len(named) > 1:
		return invalidError("the claims contain several products; request a credential for product %q only from issuer %q", t.Product, t.Issuer)
	case named[0] != t.Product:
		return invalidError("the credential is not for product %q; use the credential that was bought for this app", t.Product)
	}
	return nil
}

// claimsError returns the error for claims that do not match the terms.
func (t Terms) claimsError(err error) error {
	switch {
	case errors.Is(err, jwt.ErrExpired):
		return outcome.Stalled(v1alpha1.ReasonLicenseExpired, fmt.Errorf(
			"check credential: the credential has expired; renew the license of product %q with issuer %q", t.Product, t.Issuer))
	case errors.Is(err, jwt.ErrNotValidYet), errors.Is(err, jwt.ErrIssuedInTheFuture):
		return outcome.Stalled(v1alpha1.ReasonLicenseNotYetValid, fmt.Errorf(
			"check credential: the credential is not valid yet; wait until it is valid, or request another one from issuer %q", t.Issuer))
	case errors.Is(err, jwt.ErrInvalidSubject):
		return invalidError("the claim sub is not the expected subject; use the credential that was issued to this subject")
	}
	return invalidError("the claim iss is not %q; use the credential that this issuer sent", t.Issuer)
}
