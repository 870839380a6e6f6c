// Package plain compares the results of hydration with the results of `helm template` for published
// charts.
package plain
