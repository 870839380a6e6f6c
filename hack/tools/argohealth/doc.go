// Package argohealth has Argo CD's own code judge the objects of AppMarket.
//
// The tests read the ConfigMap patch of config/argocd as Argo CD reads its settings,
// and run health checks, discovery and actions of it in Argo CD's Lua machine over the
// objects beside the scripts. test/gitops does the same without Argo CD, in seconds;
// this shows that Argo CD agrees. It also asks Argo CD's sync engine what it makes of
// the hooks and waves of config/samples/gitops.
//
// It is a module of its own, since Argo CD pins other versions of Kubernetes. It uses the
// newest line of Argo CD that can be built as a module: 3.3 to 3.5 replace their sync
// engine by a folder of their own tree, and 3.6 needs Go 1.27.
package argohealth
