// Package permissions writes permissions.yaml: the roles that an app creates, and the permissions that a service
// account needs to install the app.
//
// Both are read from objects.yaml, the report with the objects that a version renders with its default values. The
// web pages and the kubectl plugin write the same bytes. The report is not trusted: its size and the number of its
// objects are limited. No cluster is asked, so that the plural name of a kind that is neither part of Kubernetes nor
// defined by the app is assumed.
package permissions
