package chartrepo

import (
	"container/list"
	"strings"
	"sync"
	"sync/atomic"
)

// cache keeps bytes that are asked for often, all of them read from a blob that
// matched its digest. It gives each one a second chance: what was used since it
// was last looked at stays.
type cache struct {
	limit int64

	mu    sync.RWMutex
	size  int64
	items map[string]*list.Element
	queue list.List
}

type cacheItem struct {
	key  string
	data []byte
	used atomic.Bool
}

func newCache(limit int64) *cache {
	return &cache{limit: max(limit, 0), items: map[string]*list.Element{}}
}

// largest is the size of the largest item that is kept: a few large archives
// must not push out all the small ones.
func (c *cache) maxItemSize() int64 { return c.limit / 8 }

func (c *cache) get(key string) ([]byte, bool) {
	c.mu.RLock()
	element := c.items[key]
	c.mu.RUnlock()
	if element == nil {
		return nil, false
	}
	item := element.Value.(*cacheItem)
	if !item.used.Load() {
		item.used.Store(true)
	}
	return item.data, true
}

// add keeps the data, which nobody may change any more.
func (c *cache) add(key string, data []byte) {
	if int64(len(data)) > c.maxItemSize() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.items[key] != nil {
		return
	}
	c.items[key] = c.queue.PushBack(&cacheItem{key: key, data: data})
	c.size += itemCost(key, data)
	for c.size > c.limit {
		oldest := c.queue.Front()
		if oldest.Value.(*cacheItem).used.Swap(false) {
			c.queue.MoveToBack(oldest)
			continue
		}
		c.removeElement(oldest)
	}
}

// drop forgets all that was read from the blob of the digest.
func (c *cache) removeDigest(digest string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, element := range c.items {
		if strings.HasPrefix(key, digest) {
			c.removeElement(element)
		}
	}
}

func (c *cache) removeElement(element *list.Element) {
	item := c.queue.Remove(element).(*cacheItem)
	delete(c.items, item.key)
	c.size -= itemCost(item.key, item.data)
}

// cost counts the bookkeeping too, so that many empty items are not free.
func itemCost(key string, data []byte) int64 {
	return int64(len(key)) + int64(len(data)) + 256
}
