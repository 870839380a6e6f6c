// Package plain compares what AppMarket makes of charts that people publish with what
// `helm template` makes of them.
package plain
