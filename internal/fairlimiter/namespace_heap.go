package fairlimiter

import (
	"container/heap"
	"container/list"
)

// line has the namespaces in which somebody waits, the next one first.
type namespaceHeap struct {
	entries heapEntries
	moves   uint64
}

// outside is the index of a namespace that is not in line.
const notInHeap = -1

// place puts a namespace where it belongs after what it holds or its queue has
// changed: behind all that hold as many, unless it holds as many as before.
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

// A namespace has those of its instances that wait, in the order that they came.
type namespace struct {
	queue      list.List // of tickets
	held       int       // places, taken or reserved
	paused     int       // operations that have given their place to others
	heldAtMove int       // when it was placed
	lastMove   uint64    // the move that placed it
	index      int       // in line
}

// waiters is a heap.
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

// Push puts a namespace last.
func (e *heapEntries) Push(n any) {
	n.(*namespace).index = len(*e)
	*e = append(*e, n.(*namespace))
}

// Pop takes the last one away.
func (e *heapEntries) Pop() any {
	last := (*e)[len(*e)-1]
	(*e)[len(*e)-1] = nil
	*e = (*e)[:len(*e)-1]
	last.index = notInHeap
	return last
}
