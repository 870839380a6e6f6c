// Package netguard says to which addresses the operator makes no connection, whoever names
// them: sources, registries, issuers of licenses and whatever these redirect to. They are
// addresses at which a machine or a cloud answers with credentials, and those of many
// machines. Loopback and private addresses are allowed, since clusters have repositories
// and registries of their own there.
//
// An address is checked when a connection is made, after names were resolved, so that no
// answer of a name server leads around it. The host of a URL is checked before a proxy is
// asked, since behind a proxy nothing here connects to it.
package netguard
