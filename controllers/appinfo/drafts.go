package appinfo

import (
	"container/list"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// maxDrafts bounds the failed drafts that are kept, and maxDraftBytes what they hold of
// charts: a full disk fails every app.
const (
	maxDrafts     = 16
	maxDraftBytes = 64 << 20
)

// drafts keeps failed drafts for the retry, which then goes on with the step that
// failed. The oldest are forgotten; forgetting one costs the steps again, nothing
// more.
type drafts struct {
	mu    sync.Mutex
	order list.List
}

type keptDraft struct {
	app    types.UID
	inputs hydrate.Inputs
	draft  *hydrate.Draft
}

// take returns the draft that was kept for the job, or a new one.
func (d *drafts) take(app types.UID, j job) *hydrate.Draft {
	d.mu.Lock()
	defer d.mu.Unlock()
	for e := d.order.Front(); e != nil; e = e.Next() {
		k := e.Value.(*keptDraft)
		if k.app == app && k.inputs == j.inputs && k.draft.Request.Offer.Version == j.request.Offer.Version {
			d.order.Remove(e)
			k.draft.Request.Source = j.request.Source
			return k.draft
		}
	}
	return &hydrate.Draft{Request: j.request}
}

// keep keeps a draft whose failure is worth a retry.
func (d *drafts) keep(app types.UID, j job, draft *hydrate.Draft, err error) {
	if outcome.IsStalled(err) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.order.PushBack(&keptDraft{app: app, inputs: j.inputs, draft: draft})
	for d.order.Len() > maxDrafts || d.bytes() > maxDraftBytes {
		d.order.Remove(d.order.Front())
	}
}

// bytes is the size of the archives and reports that are kept.
func (d *drafts) bytes() int {
	sum := 0
	for e := d.order.Front(); e != nil; e = e.Next() {
		draft := e.Value.(*keptDraft).draft
		sum += len(draft.Archive)
		for _, report := range draft.Reports {
			sum += len(report)
		}
	}
	return sum
}

// drop forgets the drafts of an app.
func (d *drafts) drop(app types.UID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for e := d.order.Front(); e != nil; {
		next := e.Next()
		if e.Value.(*keptDraft).app == app {
			d.order.Remove(e)
		}
		e = next
	}
}
