// Package license verifies that an app has been bought.
//
// The proof is a credential: a JSON Web Token that the issuer of the app signed for a
// product, and optionally for a subject. Check is a pure function of the credential, the
// terms of the app, the keys of the issuer and the time. Keys fetches the keys that an issuer
// publishes at a URL, caches them as long as the issuer allows, and uses them for up to a day
// if the issuer is unavailable. Checkout requests a credential from the checkout of the
// developer, with a request that the buyer signed. The result must be verified with Check
// before use.
//
// Everything fails closed: a credential that cannot be fetched, parsed or verified is not a
// license. Credentials, keys and responses are untrusted, so their size, number and time are
// limited. Errors contain neither the credential nor the request, nor anything that only they
// contain.
package license
