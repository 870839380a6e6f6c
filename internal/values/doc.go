// Package values decodes, merges and edits chart values, and validates them against
// values.schema.json.
//
// MergeText edits values.yaml in place to keep comments and order, and verifies that the
// result has the same values as a merge. The size of values and the cost of a schema
// validation are limited.
package values
