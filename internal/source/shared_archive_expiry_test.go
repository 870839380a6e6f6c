package source

import (
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"
)

// TestSharedArchivesExpire keeps archives for a source that does not take one of them.
func TestSharedArchivesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		archives := &sharedArchives{}
		for _, name := range []string{"taken", "left"} {
			key := archiveKey{listing: "l", url: name, digest: "d"}
			_, done := archives.useArchive(key)
			archives.keepArchive(key, []byte(name), []string{"b"})
			done()
		}
		taken := archiveKey{listing: "l", url: "taken", digest: "d"}
		g.Expect(archives.takeArchive(taken, "a")).To(BeNil(), "a source that fetched it")
		g.Expect(archives.takeArchive(taken, "b")).To(BeEquivalentTo("taken"))
		archives.mu.Lock()
		g.Expect(archives.bytes).To(Equal(len("left")))
		archives.mu.Unlock()

		time.Sleep(maxSharedAge)
		synctest.Wait()
		archives.mu.Lock()
		defer archives.mu.Unlock()
		g.Expect(archives.byKey).To(BeEmpty())
		g.Expect(archives.order).To(BeEmpty())
		g.Expect(archives.bytes).To(BeZero())
	})
}
