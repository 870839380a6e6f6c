// Package license decides whether somebody has bought an app.
//
// The proof is a credential: a JSON Web Token that the issuer of the app signed
// for a product, and possibly for a subject. Check is the whole decision, a pure
// function over the credential, the terms of the app, the keys of the issuer and
// the time. Keys brings the keys of an issuer who publishes them at a URL, keeps
// them for as long as the issuer says, and does without the issuer for a day.
// Checkout asks the shop of the developer for a credential, with a request that
// the buyer signed; what it brings is worth nothing before Check has seen it.
//
// Everything fails closed: what cannot be read, reached or understood is no
// licence. Credentials come from buyers, keys and answers from servers that
// nobody here runs, so that all are bounded in size, count and time. No error
// holds the credential, the request or anything that only they say.
package license
