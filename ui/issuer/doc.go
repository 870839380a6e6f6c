// Package issuer signs users in at an issuer of OpenID Connect, with the authorization code flow and
// PKCE.
//
// The identity token of the issuer is the credential that the pages send to the API server, which
// must trust the issuer. The package verifies the token (signature, issuer, audience, end and nonce)
// before it is used, although the API server verifies it again: the nonce and the state bind it to
// the browser in which the user signed in.
//
// The issuer is configured by the administrator. Its responses are bounded in size and time, are
// fetched without redirects, and are never part of an error, because they can contain tokens.
package issuer
