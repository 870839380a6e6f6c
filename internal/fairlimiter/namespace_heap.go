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
func (l *namespaceHeap) reorder(n *namespace) {
	if n.held != n.heldAtMove || n.index == notInHeap {
		l.moves++
		n.heldAtMove, n.lastMove = n.held, l.moves
	}
	switch inLine, waits := n.index != notInHeap, n.queue.Len() > 0; {
	case inLine && waits:
		heap.Fix(&l.entries, n.index)
	case inLine:
		heap.Remove(&l.entries, n.index)
	case waits:
		heap.Push(&l.entries, n)
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

func (w heapEntries) Len() int { return len(w) }

func (w heapEntries) Less(i, j int) bool {
	if w[i].held != w[j].held {
		return w[i].held < w[j].held
	}
	return w[i].lastMove < w[j].lastMove
}

func (w heapEntries) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].index, w[j].index = i, j
}

// Push puts a namespace last.
func (w *heapEntries) Push(n any) {
	n.(*namespace).index = len(*w)
	*w = append(*w, n.(*namespace))
}

// Pop takes the last one away.
func (w *heapEntries) Pop() any {
	last := (*w)[len(*w)-1]
	(*w)[len(*w)-1] = nil
	*w = (*w)[:len(*w)-1]
	last.index = notInHeap
	return last
}
