package crdcheck

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/config/crd"
)

// builtSchemas returns the schemas that this program was built with, by kind.
func builtSchemas() (map[string]*schema, error) {
	files, err := fs.Glob(crd.Files, "bases/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("find CRDs: %w", err)
	}
	want := map[string]*schema{}
	for _, name := range files {
		text, err := crd.Files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read CRD: %w", err)
		}
		var definition struct {
			Spec struct {
				Names    struct{ Kind string }
				Versions []struct {
					Name   string
					Schema struct {
						OpenAPIV3Schema *schema `json:"openAPIV3Schema"`
					}
				}
			}
		}
		if err := yaml.Unmarshal(text, &definition); err != nil {
			return nil, fmt.Errorf("read CRD %s: %w", name, err)
		}
		for _, version := range definition.Spec.Versions {
			if version.Name == v1alpha1.GroupVersion.Version {
				want[definition.Spec.Names.Kind] = version.Schema.OpenAPIV3Schema
			}
		}
	}
	return want, nil
}

// missingFields returns the fields and values of schema want that schema have lacks, sorted.
func missingFields(want, have *schema, kind, path string) []string {
	if want == nil {
		return nil
	}
	if have == nil {
		return []string{kind + path}
	}
	var lacking []string
	for _, value := range want.Enum {
		if len(have.Enum) > 0 && !slices.Contains(have.Enum, value) {
			lacking = append(lacking, fmt.Sprintf("%s%s: %v", kind, path, value))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want.Properties)) {
		at := name
		if path != "" {
			at = path + "." + name
		}
		if have.Properties[name] == nil {
			lacking = append(lacking, kind+at)
			continue
		}
		lacking = append(lacking, missingFields(want.Properties[name], have.Properties[name], kind, at)...)
	}
	lacking = append(lacking, missingFields(want.Items, have.Items, kind, path+"[]")...)
	return append(lacking, missingFields(want.AdditionalProperties.schema, have.AdditionalProperties.schema, kind, path+"{}")...)
}
