// Package addresses determines the addresses at which users open installed apps.
//
// A Policy, which the administrator configures, adds one Ingress or HTTPRoute for each visible
// entrance to the rendered documents of an installation. These objects belong to the Helm
// releases of the app, so that they are created, changed and deleted with the permissions of
// the tenant like all others. Hosts are built from a template, and two entrances never get the
// same host.
//
// An Endpoint is the part of a Service, Ingress or HTTPRoute in the cluster that determines its
// address. SetURLs and RecognizeEntrances derive the entrances in the status of an instance from
// endpoints, so that the status shows what exists. The package sends no requests and contains no
// state. Manifests and charts are hostile input: names are never copied into a host or the name of
// an object without a check, and all results are bounded.
package addresses
