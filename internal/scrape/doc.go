// Package scrape admits those to the metrics who may read them: it asks the API server
// whose token a request has (TokenReview) and whether that account may get the path
// (SubjectAccessReview).
//
// The filter of controller-runtime does the same and brings 16 modules, gRPC and
// OpenTelemetry among them, into the program; see docs/adr/0024.
package scrape
