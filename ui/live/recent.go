package live

import (
	"math/rand/v2"
	"time"

	"github.com/appmarket/operator/ui/kube"
)

const (
	// maxRecent is the number of changes that a hub remembers.
	maxRecent = 2048
	// clockMargin is the largest difference between the clocks of two servers, of which one serves a page and
	// the other one its stream.
	clockMargin = time.Second
	// unknownSpread is the time in which streams signal topics whose changes are not known, so that not all
	// pages are read at the same time.
	unknownSpread = 2 * time.Second
)

// recentChanges contains the last changes, so that a stream signals those between the reading of its page and
// its connection.
type recentChanges struct {
	// completeSince is the time after which all changes are remembered.
	completeSince time.Time
	entries       []recentChange
	// oldest is the index of the entry that is replaced next, if there are maxRecent entries.
	oldest int
}

type recentChange struct {
	kube.Change

	at time.Time
}

func (c *recentChanges) add(change kube.Change, at time.Time) {
	entry := recentChange{change, at}
	if len(c.entries) < maxRecent {
		c.entries = append(c.entries, entry)
		return
	}
	c.completeSince = c.entries[c.oldest].at
	c.entries[c.oldest] = entry
	c.oldest = (c.oldest + 1) % maxRecent
}

// markMissed marks the topics of a stream that have changed since its page was read, or all if the changes
// since then are not known.
func (c *recentChanges) markMissed(s *stream, now time.Time) {
	if s.since.IsZero() {
		return
	}
	since := s.since.Add(-clockMargin)
	if since.Before(c.completeSince) {
		at := now.Add(rand.N(unknownSpread))
		for topic := range s.topics {
			s.markTopic(topic, at)
		}
		return
	}
	for _, entry := range c.entries {
		if entry.at.Before(since) {
			continue
		}
		for _, topic := range topicsOf(entry.Change) {
			if _, isFollowed := s.topics[topic]; isFollowed {
				s.markTopic(topic, now)
			}
		}
	}
}
