// Package session signs users in to the pages.
//
// A session is a cookie that only the server can read: it is sealed with AES-256-GCM. Nothing about
// a session is kept in memory, so replicas and restarts do not matter as long as they share the
// key. The cookie contains the user's token, which the server needs for each request to the API
// server.
//
// A user who signs in at an issuer of OpenID Connect has an identity token as token. A refresh token
// is part of the cookie if there is room for it. While the sign-in lasts, a cookie of its own contains
// its state, nonce and PKCE verifier.
//
// Proxy identifies the user of a request without a session, by the headers of an authenticating proxy.
//
// A local server has no tokens: the user who redeems its one-time link acts as the user of the
// kubeconfig that the server was started with.
package session
