// Package access decides who may read what the operator serves. It reviews the bearer
// token of a request with the API server (TokenReview), and then whether the owner of the
// token has a right (SubjectAccessReview).
//
// Answers of both kinds, allowed and refused, are used again for some seconds, and a
// bounded number of them is kept. Each token has at most one question under way, so that
// one caller cannot take the places of the others. A failure of the API server is an
// error, never a decision, and is not kept.
//
// The filter of controller-runtime does the same for metrics and brings 16 modules, gRPC
// and OpenTelemetry among them, into the program; see docs/adr/0024.
package access
