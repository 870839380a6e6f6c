package audit

import (
	"fmt"

	"github.com/appmarket/operator/internal/objects"
)

// toVariable returns a map as CEL reads it. Keys that are not strings are formatted.
func toVariable(o objects.Map) map[string]any {
	out := make(map[string]any, len(o))
	for key, value := range o {
		name, ok := key.(string)
		if !ok {
			name = fmt.Sprint(key)
		}
		out[name] = toValue(value)
	}
	return out
}

// toValue returns a value as CEL reads it.
func toValue(value any) any {
	switch value := value.(type) {
	case objects.Map:
		return toVariable(value)
	case map[any]any:
		return toVariable(objects.Map(value))
	case []any:
		list := make([]any, len(value))
		for i, item := range value {
			list[i] = toValue(item)
		}
		return list
	case nil, string, bool, int, int64, uint64, float64:
		return value
	}
	return fmt.Sprint(value)
}

// toVariable returns the variable app.
func (a App) toVariable() map[string]any {
	return map[string]any{
		"name": a.Name, "version": a.Version, "appVersion": a.AppVersion, "description": a.Description, "home": a.Home,
		"namespace": a.Namespace, "licenses": listOf(a.Licenses), "images": listOf(a.Images), "keywords": listOf(a.Keywords),
		"isRendered": a.IsRendered, "annotations": a.Annotations,
		"hasClusterRules": a.Access.HasClusterRules, "rules": listOf(a.Access.Rules),
		"clusterObjects": listOf(a.Access.ClusterObjects), "crds": listOf(a.Access.CRDs),
	}
}

// listOf returns a list that is not nil.
func listOf(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
