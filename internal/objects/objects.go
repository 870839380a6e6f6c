package objects

import (
	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// MaxObjects is the maximum number of objects of one app.
const MaxObjects = 5000

// Object identifies an object of a document.
type Object struct {
	APIVersion string
	Kind       string
	// Namespace is the namespace in the rendered object. It is usually empty.
	Namespace string
	Name      string
	// Hook reports that the object is a Helm hook, which is not part of the release's
	// manifest.
	Hook bool
}

// ListObjects returns the objects of the documents in order, with each List replaced by its items.
// Documents that are not objects are skipped. The error is Stalled with RenderFailed for a
// document that is not valid YAML, and names its template; it is Stalled with LimitExceeded
// if there are more than MaxObjects objects.
func ListObjects(docs []Document) ([]Object, error) {
	all, _, err := ListWithWarnings(docs)
	return all, err
}

// ListWithWarnings returns the same objects as List, and up to maxFormWarnings warnings
// about fields that the API server will reject.
func ListWithWarnings(docs []Document) ([]Object, []string, error) {
	var all []Object
	var form formCheck
	for _, doc := range docs {
		err := EachObject(doc, func(o Map) error {
			if len(all) == MaxObjects {
				return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "list objects: more than %d objects", MaxObjects)
			}
			meta, _ := o["metadata"].(Map)
			all = append(all, Object{
				APIVersion: o.TextAt("apiVersion"),
				Kind:       o.Kind(),
				Namespace:  meta.TextAt("namespace"),
				Name:       meta.TextAt("name"),
				Hook:       doc.Hook,
			})
			form.checkObject(o)
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return all, form.warnings, nil
}
