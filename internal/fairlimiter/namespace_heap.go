package fairlimiter

import (
	"container/heap"
	"container/list"
)

// namespaceHeap orders the namespaces that have queued instances, the next one first.
type namespaceHeap struct {
	entries heapEntries
	moves   uint64
}

// notInHeap is the index of a namespace that is not in the heap.
const notInHeap = -1

// reorder moves a namespace after a change of its slots or its queue. A namespace whose number
// of slots changed goes behind the others with the same number.
func (h *namespaceHeap) reorder(n *namespace) {
	if n.held != n.heldAtMove || n.index == notInHeap {
		h.moves++
		n.heldAtMove, n.lastMove = n.held, h.moves
	}
	switch inLine, waits := n.index != notInHeap, n.queue.Len() > 0; {
	case inLine && waits:
		heap.Fix(&h.entries, n.index)
	case inLine:
		heap.Remove(&h.entries, n.index)
	case waits:
		heap.Push(&h.entries, n)
	}
}

// namespace holds the queued instances of a namespace in their order of arrival.
type namespace struct {
	queue      list.List // of waiters
	held       int       // slots, acquired or reserved
	paused     int       // operations without a slot
	heldAtMove int       // held at the last move
	lastMove   uint64    // number of the last move
	index      int       // in the heap
}

// heapEntries implements heap.Interface.
type heapEntries []*namespace

func (e heapEntries) Len() int { return len(e) }

func (e heapEntries) Less(i, j int) bool {
	if e[i].held != e[j].held {
		return e[i].held < e[j].held
	}
	return e[i].lastMove < e[j].lastMove
}

func (e heapEntries) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].index, e[j].index = i, j
}

// Push adds a namespace.
func (e *heapEntries) Push(n any) {
	n.(*namespace).index = len(*e)
	*e = append(*e, n.(*namespace))
}

// Pop removes and returns the last namespace.
func (e *heapEntries) Pop() any {
	last := (*e)[len(*e)-1]
	(*e)[len(*e)-1] = nil
	*e = (*e)[:len(*e)-1]
	last.index = notInHeap
	return last
}
