// Package ui runs the web pages of AppMarket: a process of its own, which reads the cluster and
// the repository, creates tasks, and keeps nothing but recordings of terminals. docs/ui.md describes the pages for users.
//
// The process has an account with few rights: it may get, list and watch the kinds of AppMarket and
// list Namespaces, for lists that are the same for everyone who may see them. Everything else is
// read and written with the rights of the signed-in user.
//
// kube reads the cluster, session and issuer sign users in, live tells open pages what has changed, reports
// fetches long texts from the repository, images fetches the icons of apps, terminal connects browsers with
// commands in containers, recording keeps the output of terminals, pages contains the pages, and assets the
// style sheets, the scripts and the symbols.
package ui
