package installplan

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/license"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
)

// resolveCredential returns the verified credential for a version that must be purchased, and ""
// for all other versions. It does not open the chart. If the Secret is missing, it purchases the
// credential if the request specifies how.
func (p *Plan) resolveCredential(ctx context.Context) (string, error) {
	credential, err := p.readCredential(ctx)
	if p.Purchase != nil && p.CredentialRef != nil && isMissingError(err) {
		return p.Purchase(ctx, p.client)
	}
	return credential, err
}

func (p *Plan) readCredential(ctx context.Context) (string, error) {
	terms := p.Version.Purchase
	if terms == nil {
		return "", nil
	}
	if p.CredentialRef == nil {
		return "", outcome.Stalled(v1alpha1.ReasonLicenseNotFound, fmt.Errorf(
			"version %s of app %q must be purchased (product %q of issuer %q, %s); set %s to the Secret with the credential",
			p.Version.Version, p.App.Info.Spec.App, terms.Product, terms.Issuer, priceText(terms), p.Sources.fieldPath("credentialSecretRef")))
	}
	g := valueReader{reader: p.client, tenant: p.Tenant, objects: p.planner.Objects}
	credential, err := g.readKey(ctx, v1alpha1.ValuesFromSecret, p.CredentialRef.Name, p.CredentialRef.Key)
	if err != nil {
		return "", fmt.Errorf("%s: %w", p.Sources.fieldPath("credentialSecretRef"), err)
	}
	credential = strings.TrimSpace(credential)
	return credential, p.planner.checkLicense(ctx, p.App, terms, credential)
}

// checkTerms compares the license terms in the status, with which the credential was
// verified, with the terms in the chart. They differ if the version was published by an
// operator that did not record them.
func checkTerms(app *catalog.App, version *v1alpha1.PublishedVersion, chart *hydrate.License) error {
	terms := catalog.LicenseTermsOf(chart)
	switch {
	case terms == nil && version.Purchase == nil:
		return nil
	case terms != nil && version.Purchase != nil && terms.Product == version.Purchase.Product && terms.Issuer == version.Purchase.Issuer:
		return nil
	}
	return outcome.Stalled(v1alpha1.ReasonLicenseInvalid, fmt.Errorf(
		"the license terms in the chart of version %s of app %q differ from status.versions of AppInfo %q in namespace %q; set the annotation %s of the AppInfo to a new value",
		version.Version, app.Info.Spec.App, app.Info.Name, app.Info.Namespace, v1alpha1.ReconcileRequestAnnotation))
}

// priceText formats the prices of an app that must be purchased.
func priceText(terms *v1alpha1.PurchaseTerms) string {
	if len(terms.Prices) == 0 {
		return "price unknown"
	}
	return "price " + strings.Join(terms.Prices, " or ")
}

// checkLicense verifies a credential with the keys of the issuer.
func (p *Planner) checkLicense(ctx context.Context, app *catalog.App, of *v1alpha1.PurchaseTerms, credential string) error {
	issuer, err := findIssuer(app, of)
	if err != nil {
		return err
	}
	terms := license.Terms{Issuer: issuer.Issuer, Product: of.Product, Subject: issuer.Subject}
	if issuer.KeysURL != "" {
		_, err = p.Issuers(app.Source.Namespace).Keys.Check(ctx, credential, terms, issuer.KeysURL)
		return err
	}
	terms.Keys = []byte(issuer.Keys)
	if ref := issuer.KeysSecretRef; ref != nil {
		keys, err := p.sourceReader(app).readKey(ctx, v1alpha1.ValuesFromSecret, ref.Name, ref.Key)
		if err != nil {
			return outcome.Waiting(v1alpha1.ReasonLicenseKeysUnavailable, retryInterval, fmt.Errorf("get keys of issuer %q: %w", issuer.Issuer, err))
		}
		terms.Keys = []byte(keys)
	}
	_, err = license.Check(credential, terms, time.Now())
	return err
}

// findIssuer returns the issuer of the terms as specified in spec.licensing of the source.
func findIssuer(app *catalog.App, of *v1alpha1.PurchaseTerms) (*v1alpha1.LicenseIssuer, error) {
	wanted := of.Issuer
	for i := range app.Source.Spec.Licensing {
		if issuer := &app.Source.Spec.Licensing[i]; issuer.Issuer == wanted {
			return issuer, nil
		}
	}
	return nil, outcome.Stalled(v1alpha1.ReasonLicenseInvalid, fmt.Errorf(
		"source %q: spec.licensing does not contain issuer %q, and credentials of the issuer cannot be verified; have the administrator of the source add the issuer",
		app.Source.Namespace+"/"+app.Source.Name, wanted))
}

// PurchaseCredential requests the credential of a purchased app from the checkout of the developer and
// verifies it. While the credential is not available, the error is Waiting. The error of a purchase
// request that cannot be read names the Secret, and not the field that refers to it.
func (p *Planner) PurchaseCredential(
	ctx context.Context, reader client.Reader, tenant release.Tenant, app *catalog.App, of *v1alpha1.PurchaseTerms, request *v1alpha1.KeyReference, attempt int,
) (string, error) {
	issuer, err := findIssuer(app, of)
	if err != nil {
		return "", err
	}
	if issuer.CheckoutURL == "" {
		return "", outcome.Stalled(v1alpha1.ReasonPurchaseFailed, fmt.Errorf(
			"source %q: spec.licensing has no checkoutURL for issuer %q; purchase the app from the issuer, and store the credential in its Secret",
			app.Source.Namespace+"/"+app.Source.Name, issuer.Issuer))
	}
	g := valueReader{reader: reader, tenant: tenant, objects: p.Objects}
	signed, err := g.readKey(ctx, v1alpha1.ValuesFromSecret, request.Name, request.Key)
	if err != nil {
		return "", err
	}
	credential, err := p.Issuers(app.Source.Namespace).Checkout.Buy(ctx, license.Purchase{URL: issuer.CheckoutURL, Product: of.Product, Request: signed}, attempt)
	if err != nil {
		return "", err
	}
	if err := p.checkLicense(ctx, app, of, credential); err != nil && !outcome.IsStalled(err) {
		return "", fmt.Errorf("verify credential of the checkout: %w", err)
	} else if err != nil {
		return "", outcome.Stalled(v1alpha1.ReasonPurchaseFailed, errors.New("the checkout returned an invalid credential: "+err.Error()))
	}
	return credential, nil
}
