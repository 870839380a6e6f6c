package images

import (
	"container/list"
	"sync"
	"time"
)

const (
	// maxEntries and maxCachedBytes bound the icons and the failures in memory.
	maxEntries, maxCachedBytes = 5000, 16 << 20
	// entryBytes is the approximate size of an entry without its icon.
	entryBytes = 512
)

// entry is an icon, or a failure to fetch it if icon is nil. done is closed when it is complete.
type entry struct {
	address string
	done    chan struct{}
	icon    []byte
	until   time.Time
}

// cache contains the icons that were used last.
type cache struct {
	mu      sync.Mutex
	entries map[string]*list.Element
	// order contains the entries, with the one that was used last at its front.
	order *list.List
	bytes int
}

func newCache() cache { return cache{entries: map[string]*list.Element{}, order: list.New()} }

// entryFor returns the entry of a URL. If it is new, the caller has to complete it.
func (c *cache) entryFor(address string, now time.Time) (found *entry, isNew bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if element, ok := c.entries[address]; ok {
		if found = element.Value.(*entry); found.until.IsZero() || now.Before(found.until) {
			c.order.MoveToFront(element)
			return found, false
		}
		c.removeElement(element)
	}
	found = &entry{address: address, done: make(chan struct{})}
	c.entries[address] = c.order.PushFront(found)
	c.bytes += entryBytes
	for c.order.Len() > maxEntries {
		c.removeElement(c.order.Back())
	}
	return found, true
}

// completeEntry sets the icon of an entry, nil for a failure, and removes the icons that were not used for the
// longest time if there are too many.
func (c *cache) completeEntry(e *entry, icon []byte, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.icon, e.until = icon, now.Add(keptFor); icon == nil {
		e.until = now.Add(retriedAfter)
	}
	close(e.done)
	if element, ok := c.entries[e.address]; !ok || element.Value.(*entry) != e {
		return // It was removed before it was complete.
	}
	c.bytes += len(icon)
	for c.bytes > maxCachedBytes && c.order.Len() > 1 {
		c.removeElement(c.order.Back())
	}
}

// removeElement removes an entry. An entry that is not complete is completed nevertheless.
func (c *cache) removeElement(element *list.Element) {
	e := element.Value.(*entry)
	c.order.Remove(element)
	delete(c.entries, e.address)
	c.bytes -= entryBytes + len(e.icon)
}
