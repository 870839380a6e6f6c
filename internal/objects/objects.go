package objects

import (
	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// maxObjects bounds the objects of one app.
const MaxObjects = 5000

// Object says which object a document holds.
type Object struct {
	APIVersion string
	Kind       string
	// Namespace is as rendered; mostly empty.
	Namespace string
	Name      string
	// Hook says that Helm runs it at a moment of its own and does not keep it.
	Hook bool
}

// Objects lists the objects of documents in their order, those in a List one by
// one. Documents that are no object are left out. A document that is not YAML is
// stalled with RenderFailed, naming its template; more than 5,000 objects with
// LimitExceeded.
func List(docs []Document) ([]Object, error) {
	all, _, err := ListWithWarnings(docs)
	return all, err
}

// readObjects lists objects as Objects does, and what of their form the API server
// refuses, at most maxFormWarnings.
func ListWithWarnings(docs []Document) ([]Object, []string, error) {
	var all []Object
	var form formCheck
	for _, doc := range docs {
		err := Each(doc, func(o Map) error {
			if len(all) == MaxObjects {
				return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "list objects: more than %d objects", MaxObjects)
			}
			meta, _ := o["metadata"].(Map)
			all = append(all, Object{
				APIVersion: o.Text("apiVersion"),
				Kind:       o.Kind(),
				Namespace:  meta.Text("namespace"),
				Name:       meta.Text("name"),
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
