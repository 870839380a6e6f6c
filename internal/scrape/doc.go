// Package scrape authorizes requests for metrics: package access reviews the token of a
// request and whether its owner may get the path.
package scrape
