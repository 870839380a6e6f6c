// Package scrape admits those to the metrics who may read them: it asks the API server
// whose token a request has (TokenReview) and whether that account may get the path
// (SubjectAccessReview).
//
// The filter of controller-runtime does the same and brings gRPC, OpenTelemetry and
// twelve other modules into the program.
package scrape
