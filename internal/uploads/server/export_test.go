package server

// NewHandler is Handler with another time between two reads of an upload.
var NewHandler = newHandler

// MaxNamespaceUploads is the number of uploads to the sources of one namespace at the same time.
const MaxNamespaceUploads = maxNamespaceUploads
