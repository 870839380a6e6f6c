package taskbuilder

import (
	"fmt"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
)

// optionalSuffix marks a reference whose object may be missing.
const optionalSuffix = ",optional"

// defaultValuesKey is the default key of Helm values in a Secret or ConfigMap.
const defaultValuesKey = "values.yaml"

// ValuesReferenceText returns a reference to Helm values in the form KIND/NAME/KEY, such as
// secret/wiki/values.yaml, with ",optional" if the object may be missing.
func ValuesReferenceText(ref v1alpha1.ValuesReference) string {
	key := ref.Key
	if key == "" {
		key = defaultValuesKey
	}
	text := strings.ToLower(string(ref.Kind)) + "/" + ref.Name + "/" + key
	if ref.Optional != nil && *ref.Optional {
		text += optionalSuffix
	}
	return text
}

// ParseValuesReference parses the form of ValuesReferenceText. The key may be missing.
func ParseValuesReference(text string) (v1alpha1.ValuesReference, error) {
	rest, optional := strings.CutSuffix(text, optionalSuffix)
	kind, rest, _ := strings.Cut(rest, "/")
	name, key, _ := strings.Cut(rest, "/")
	ref := v1alpha1.ValuesReference{Name: name, Key: key}
	if optional {
		ref.Optional = &optional
	}
	switch strings.ToLower(kind) {
	case "secret":
		ref.Kind = v1alpha1.ValuesFromSecret
	case "configmap":
		ref.Kind = v1alpha1.ValuesFromConfigMap
	}
	if ref.Kind == "" || name == "" {
		return v1alpha1.ValuesReference{}, fmt.Errorf("%q must have the form secret/NAME[/KEY] or configmap/NAME[/KEY]", text)
	}
	if ref.Key == "" {
		ref.Key = defaultValuesKey
	}
	return ref, nil
}

// InputSourceText returns the source of an input in the form KIND/NAME/KEY, such as
// output/database/password. KIND is secret, configmap or output.
func InputSourceText(from *v1alpha1.InputValueSource) string {
	switch {
	case from.SecretKeyRef != nil:
		return "secret/" + from.SecretKeyRef.Name + "/" + from.SecretKeyRef.Key
	case from.ConfigMapKeyRef != nil:
		return "configmap/" + from.ConfigMapKeyRef.Name + "/" + from.ConfigMapKeyRef.Key
	case from.OutputRef != nil:
		return "output/" + from.OutputRef.Name + "/" + from.OutputRef.Key
	}
	return ""
}

// ParseInputSource parses the form of InputSourceText.
func ParseInputSource(text string) (*v1alpha1.InputValueSource, error) {
	kind, rest, _ := strings.Cut(text, "/")
	ref, err := ParseKeyReference(rest)
	if err == nil {
		switch strings.ToLower(kind) {
		case "secret":
			return &v1alpha1.InputValueSource{SecretKeyRef: ref}, nil
		case "configmap":
			return &v1alpha1.InputValueSource{ConfigMapKeyRef: ref}, nil
		case "output":
			return &v1alpha1.InputValueSource{OutputRef: ref}, nil
		}
	}
	return nil, fmt.Errorf("%q must have the form secret/NAME/KEY, configmap/NAME/KEY or output/INSTANCE/OUTPUT", text)
}

// ParseKeyReference parses a reference to a key of an object in the form NAME/KEY.
func ParseKeyReference(text string) (*v1alpha1.KeyReference, error) {
	name, key, found := strings.Cut(text, "/")
	if !found || name == "" || key == "" {
		return nil, fmt.Errorf("%q must have the form NAME/KEY", text)
	}
	return &v1alpha1.KeyReference{Name: name, Key: key}, nil
}
