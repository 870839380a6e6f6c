// Package values reads, merges and edits the values of charts, and checks them against
// values.schema.json.
//
// MergeText edits values.yaml in place, so that comments and order are kept, and verifies
// that the result has the meaning of a merge. The size of values, and the work that a
// schema may cause, are bounded.
package values
