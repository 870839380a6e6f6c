// Package kube reads the cluster for the pages.
//
// There are two ways to read. The lists of apps, instances, tasks and sources come from one
// shared cache, which is filled with the rights of the account of the process; a caller shows an
// object of it only after the user's right to list the object was reviewed. Single objects are
// read from the API server with the user's own credential, so that the API server decides.
//
// Objects are written with the user's credential only. The account of the process writes nothing,
// other than reviews, which the API server does not store.
package kube
