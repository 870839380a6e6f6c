package images

import (
	"container/list"
	"sync"
	"time"
)

const (
	// maxEntries bounds the images of a kind and the failures in memory, and maxCachedBytes and maxShotBytes their sizes.
	maxEntries, maxCachedBytes, maxShotBytes = 5000, 16 << 20, 16 << 20
	// entryBytes is the approximate size of an entry without its image.
	entryBytes = 512
)

// entry is an image, or a failure to fetch it if image is nil. done is closed when it is complete.
type entry struct {
	address string
	done    chan struct{}
	image   []byte
	until   time.Time
}

// cache contains the images of a kind that were used last.
type cache struct {
	mu      sync.Mutex
	entries map[string]*list.Element
	// order contains the entries, with the one that was used last at its front.
	order *list.List
	// maxBytes bounds bytes, the size of all entries.
	maxBytes, bytes int
}

func newCache(maxBytes int) *cache {
	return &cache{entries: map[string]*list.Element{}, order: list.New(), maxBytes: maxBytes}
}

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

// completeEntry sets the image of an entry, nil for a failure, and removes the images that were not used for the
// longest time if there are too many.
func (c *cache) completeEntry(e *entry, image []byte, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.image, e.until = image, now.Add(keptFor); image == nil {
		e.until = now.Add(retriedAfter)
	}
	close(e.done)
	if element, ok := c.entries[e.address]; !ok || element.Value.(*entry) != e {
		return // It was removed before it was complete.
	}
	c.bytes += len(image)
	for c.bytes > c.maxBytes && c.order.Len() > 1 {
		c.removeElement(c.order.Back())
	}
}

// removeElement removes an entry. An entry that is not complete is completed nevertheless.
func (c *cache) removeElement(element *list.Element) {
	e := element.Value.(*entry)
	c.order.Remove(element)
	delete(c.entries, e.address)
	c.bytes -= entryBytes + len(e.image)
}
