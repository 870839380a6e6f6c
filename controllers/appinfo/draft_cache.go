package appinfo

import (
	"container/list"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// The maximum number of failed drafts that are kept, and the maximum total size of their
// archives and reports. Many drafts can fail at the same time, for example if the disk is
// full.
const (
	maxDrafts     = 16
	maxDraftBytes = 64 << 20
)

// draftCache keeps failed drafts, so that a retry continues with the step that failed. The
// oldest drafts are removed first. A removed draft costs a repetition of its earlier steps.
type draftCache struct {
	mu    sync.Mutex
	order list.List
}

type cachedDraft struct {
	app    types.UID
	inputs hydrate.Inputs
	draft  *hydrate.Draft
}

// takeDraft removes and returns the draft that was kept for the job, or returns a new one.
func (d *draftCache) takeDraft(app types.UID, j hydrationJob) *hydrate.Draft {
	d.mu.Lock()
	defer d.mu.Unlock()
	for e := d.order.Front(); e != nil; e = e.Next() {
		k := e.Value.(*cachedDraft)
		if k.app == app && k.inputs == j.inputs && k.draft.Request.Offer.Version == j.request.Offer.Version {
			d.order.Remove(e)
			k.draft.Request.Source, k.draft.Request.Inspector = j.request.Source, j.request.Inspector
			k.draft.Request.Policy, k.draft.Request.AcceptedDigests = j.request.Policy, j.request.AcceptedDigests
			return k.draft
		}
	}
	return &hydrate.Draft{Request: j.request}
}

// storeDraft stores a failed draft, unless the error is terminal.
func (d *draftCache) storeDraft(app types.UID, j hydrationJob, draft *hydrate.Draft, err error) {
	if outcome.IsStalled(err) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.order.PushBack(&cachedDraft{app: app, inputs: j.inputs, draft: draft})
	for d.order.Len() > maxDrafts || d.totalBytes() > maxDraftBytes {
		d.order.Remove(d.order.Front())
	}
}

// totalBytes returns the total size of the archives and reports of the drafts.
func (d *draftCache) totalBytes() int {
	sum := 0
	for e := d.order.Front(); e != nil; e = e.Next() {
		draft := e.Value.(*cachedDraft).draft
		sum += len(draft.Archive)
		for _, report := range draft.Reports {
			sum += len(report)
		}
	}
	return sum
}

// deleteDrafts removes the drafts of an app.
func (d *draftCache) deleteDrafts(app types.UID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for e := d.order.Front(); e != nil; {
		next := e.Next()
		if e.Value.(*cachedDraft).app == app {
			d.order.Remove(e)
		}
		e = next
	}
}
