package diagnostics

import "regexp"

// masked replaces what may be confidential.
const masked = "(removed)"

// tokens match tokens of service accounts and of OpenID Connect, credentials of HTTP headers, and credentials in URLs.
var tokens = []*regexp.Regexp{
	regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`),
	regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}`),
	regexp.MustCompile(`://[^/@\s"']+@`),
}

// maskTokens replaces tokens in a text.
func maskTokens(content []byte) []byte {
	content = tokens[0].ReplaceAll(content, []byte(masked))
	content = tokens[1].ReplaceAll(content, []byte("$1 "+masked))
	return tokens[2].ReplaceAll(content, []byte("://"+masked+"@"))
}

// maskObject removes the managed fields of an object and its copy in an annotation, and replaces the parts that may
// be confidential: Helm values, the values of inputs, and environment variables.
func maskObject(object map[string]any) {
	if metadata, isMap := object["metadata"].(map[string]any); isMap {
		delete(metadata, "managedFields")
		if annotations, isMap := metadata["annotations"].(map[string]any); isMap {
			delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
		}
	}
	maskFields(object)
}

// maskFields replaces the scalars below fields with Helm values, and the values of inputs and variables. It keeps
// the names of keys, which show what is configured.
func maskFields(object map[string]any) {
	for key, value := range object {
		switch key {
		case "values", "customParams":
			object[key] = maskScalars(value)
		case "inputs", "env", "outputs":
			maskNamed(value)
		default:
			maskBelow(value)
		}
	}
}

// maskBelow masks the fields of the objects in a value.
func maskBelow(value any) {
	switch value := value.(type) {
	case map[string]any:
		maskFields(value)
	case []any:
		for _, item := range value {
			maskBelow(item)
		}
	}
}

// maskNamed replaces the field value of the items of a list.
func maskNamed(value any) {
	items, isList := value.([]any)
	if !isList {
		return
	}
	for _, item := range items {
		if named, isMap := item.(map[string]any); isMap && named["value"] != nil {
			named["value"] = masked
		}
	}
}

// maskScalars replaces all scalars of a value.
func maskScalars(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, below := range value {
			value[key] = maskScalars(below)
		}
		return value
	case []any:
		for i, below := range value {
			value[i] = maskScalars(below)
		}
		return value
	case nil:
		return nil
	}
	return masked
}
