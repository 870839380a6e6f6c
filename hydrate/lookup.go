package hydrate

import "context"

// LookupQuery contains the arguments of the template function lookup. Without a name it
// requests a list.
type LookupQuery struct {
	APIVersion string
	Kind       string
	Namespace  string
	Name       string
}

// Lookup returns an object of the cluster, or a list of objects. It returns nil if the
// object does not exist.
type Lookup func(ctx context.Context, query LookupQuery) (map[string]any, error)
