package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// Limits for the lookups of the templates of one app. Real charts look up a few Secrets
// that they have created. The time is limited because a worker that waits for a lookup is not
// available to other namespaces, and the API server can delay the requests of a tenant.
const (
	maxLookups     = 200
	maxLookupBytes = 8 << 20
	lookupTime     = 10 * time.Second // for one lookup
	allLookupsTime = 30 * time.Second
)

// lookups answers the lookups of one order.
type lookups struct {
	lookup hydrate.Lookup
	count  int
	bytes  int
	took   time.Duration
	// done is the progress of the order.
	done done
	// failed is the error of the first lookup that failed. All later lookups fail too.
	failed error
}

// answerLookup answers one lookup.
func (q *lookups) answerLookup(ctx context.Context, query hydrate.LookupQuery) *reply {
	if q.failed == nil {
		found, err := q.runLookup(ctx, query)
		if err == nil {
			return &reply{Found: found}
		}
		q.failed = fmt.Errorf("lookup %s %s: %w", query.Kind, queryName(query), err)
	}
	return &reply{Failed: true}
}

func queryName(query hydrate.LookupQuery) string {
	name := query.Name
	if name == "" {
		name = "list"
	}
	if query.Namespace != "" {
		return query.Namespace + "/" + name
	}
	return name
}

func (q *lookups) runLookup(ctx context.Context, query hydrate.LookupQuery) ([]byte, error) {
	if q.lookup == nil {
		return nil, errors.New("lookups are not supported")
	}
	if q.count++; q.count > maxLookups {
		return nil, outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("the templates of the app look up more than %d objects", maxLookups))
	}
	ctx, cancel := context.WithTimeout(ctx, min(lookupTime, allLookupsTime-q.took))
	defer cancel()
	started := time.Now()
	found, err := q.lookup(ctx, query)
	q.took += time.Since(started)
	if err != nil || found == nil {
		return nil, err
	}
	text, err := json.Marshal(found)
	if err != nil {
		return nil, err
	}
	if q.bytes += len(text); q.bytes > maxLookupBytes {
		return nil, outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("the templates of the app look up more than %d MiB of objects", maxLookupBytes>>20))
	}
	return text, nil
}
