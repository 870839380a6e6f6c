// Package objects decodes rendered documents into Kubernetes objects.
//
// A document is parsed once, as Helm and Kubernetes parse YAML, and everything that reads
// it shares the result. A List is read as its items. The number of objects of an app, the
// nesting of lists and the size of a document are bounded, because charts may be hostile.
package objects
