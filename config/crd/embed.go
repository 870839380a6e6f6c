// Package crd holds the CustomResourceDefinitions that the API types generate.
package crd

import "embed"

// Files has one CustomResourceDefinition in each file of the folder bases.
//
//go:embed bases/*.yaml
var Files embed.FS
