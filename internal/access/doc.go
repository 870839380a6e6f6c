// Package access reviews who may read the data that the operator serves. It reviews the
// bearer token of a request (TokenReview), and then whether the owner of the token has a right
// (SubjectAccessReview). For the pages, it reviews rights with the credential of the user
// instead (SelfSubjectAccessReview).
//
// Allowed and refused decisions are cached for some seconds, and their number is bounded.
// Each token has at most one review at a time, so that one caller cannot use the slots of all
// others. An error of the API server is not a decision and is not cached.
//
// The filter of controller-runtime does the same for metrics, but adds 16 modules, including
// gRPC and OpenTelemetry; see docs/adr/0024.
package access
