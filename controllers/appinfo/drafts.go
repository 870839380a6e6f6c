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

// drafts keeps failed drafts, so that a retry continues with the step that failed. The
// oldest drafts are removed first. A removed draft costs a repetition of its earlier steps.
type drafts struct {
	mu    sync.Mutex
	order list.List
}

type keptDraft struct {
	app    types.UID
	inputs hydrate.Inputs
	draft  *hydrate.Draft
}

// take removes and returns the draft that was kept for the job, or returns a new one.
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

// keep stores a failed draft, unless the error is terminal.
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

// bytes returns the total size of the archives and reports of the drafts.
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

// drop removes the drafts of an app.
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
