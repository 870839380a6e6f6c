// Package docs tests the documentation: the pages in docs/spec have a heading for each field of
// the API, the examples contain only known fields, the reasons exist, and the links lead to
// existing files and headings.
//
// The tests read files only, so they are fast and need no cluster.
package docs
