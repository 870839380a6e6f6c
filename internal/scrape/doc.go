// Package scrape admits those to the metrics who may read them: package access reviews
// whose token a request has and whether that account may get the path.
package scrape
