// Package argohealth checks the objects of AppMarket with Argo CD's own code.
//
// The tests read the ConfigMap patch of config/argocd as Argo CD reads its settings, and
// run its health checks, discovery and actions in Argo CD's Lua machine for the testdata
// of the scripts. test/gitops does the same without Argo CD, in seconds; these tests
// check that Argo CD agrees. They also check how Argo CD's sync engine interprets the
// hooks and waves of config/samples/gitops.
//
// The package is a module of its own, because Argo CD requires other versions of
// Kubernetes. It uses the newest line of Argo CD that can be built as a module: 3.3 to 3.5
// replace their sync engine with a folder of their own tree, and 3.6 needs Go 1.27.
package argohealth
