// Package objects decodes rendered documents into Kubernetes objects.
//
// A document is parsed once, in the same way as Helm and Kubernetes parse YAML, and the
// parsed object is shared by all readers. A List is read as its items. The number of
// objects of an app, the nesting of lists and the size of a document are limited because
// charts may be hostile.
package objects
