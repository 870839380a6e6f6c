package docs_test

import (
	"os"
	"path/filepath"
	"testing"

	"go.yaml.in/yaml/v3"
)

// schema is the part of an OpenAPI schema that the tests need.
type schema struct {
	Type       string
	Properties map[string]*schema
	Items      *schema
	Required   []string
	Default    any
	Open       bool `yaml:"x-kubernetes-preserve-unknown-fields"`
	Values     any  `yaml:"additionalProperties"`
}

// childFields returns the fields of an object or of the items of a list.
func (s *schema) childFields() map[string]*schema {
	if s.Items != nil {
		return s.Items.childFields()
	}
	return s.Properties
}

// definition is a kind of the API.
type definition struct {
	kind, plural string
	schema       *schema
}

// readDefinitions reads the CRDs.
func readDefinitions(t *testing.T) []definition {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "config", "crd", "bases", "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no CRDs found: %v", err)
	}
	var all []definition
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var crd struct {
			Spec struct {
				Names    struct{ Kind, Plural string }
				Versions []struct {
					Schema struct {
						OpenAPIV3Schema *schema `yaml:"openAPIV3Schema"`
					}
				}
			}
		}
		if err := yaml.Unmarshal(text, &crd); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, definition{crd.Spec.Names.Kind, crd.Spec.Names.Plural, crd.Spec.Versions[0].Schema.OpenAPIV3Schema})
	}
	return all
}
