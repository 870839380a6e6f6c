package chartrepo

import (
	"container/list"
	"strings"
	"sync"
	"sync/atomic"
)

// cache holds frequently requested bytes that were read from verified blobs. It evicts by
// second chance: an item that was used since the last check is kept once more.
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

// maxItemSize returns the size of the largest item that is cached: a few large archives must
// not evict all small ones.
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

// add stores data, which must not be changed afterwards.
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

// removeDigest removes everything that was read from the blob with the digest.
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

// itemCost returns the cost of an item, including a constant for bookkeeping, so that many
// empty items are not free.
func itemCost(key string, data []byte) int64 {
	return int64(len(key)) + int64(len(data)) + 256
}
