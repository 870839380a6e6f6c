package hydrate

import "context"

// LookupQuery is what a template asks for by the function lookup. Without a name it
// asks for a list.
type LookupQuery struct {
	APIVersion string
	Kind       string
	Namespace  string
	Name       string
}

// Lookup answers a query with an object of the cluster, or with a list of them. It
// returns nil for what is not there.
type Lookup func(ctx context.Context, query LookupQuery) (map[string]any, error)
