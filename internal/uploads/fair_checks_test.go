package uploads_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/uploads"
)

// waitingReader reads an archive after it has received from next, and records the namespace.
type waitingReader struct {
	next chan struct{}
	mu   sync.Mutex
	read []string
}

func (r *waitingReader) ReadMetadata(ctx context.Context, namespace string, archive []byte) (chart.Metadata, error) {
	<-r.next
	r.mu.Lock()
	r.read = append(r.read, namespace)
	r.mu.Unlock()
	return reader{}.ReadMetadata(ctx, namespace, archive)
}

// TestUploadsAreCheckedFairly has many uploads of two namespaces checked, and then one of another namespace.
func TestUploadsAreCheckedFairly(t *testing.T) {
	dir := t.TempDir()
	archive := newArchive(t, "web", "1.0.0", "a")
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		waiting := &waitingReader{next: make(chan struct{})}
		store, err := uploads.Open(dir, uploads.Options{Reader: waiting})
		g.Expect(err).NotTo(HaveOccurred())
		defer func() { _ = store.Close() }()
		var all sync.WaitGroup
		start := func(namespace, source string) {
			all.Go(func() {
				if _, _, err := upload(store, hydrate.Owner{Namespace: namespace, Source: source}, uploads.Limits{}, archive); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		for i := range 10 {
			start(fmt.Sprint("many-", i%2), fmt.Sprint("source-", i))
		}
		start("few", "source")
		for range 11 {
			waiting.next <- struct{}{}
			synctest.Wait()
		}
		all.Wait()
		g.Expect(waiting.read).To(HaveLen(11))
		g.Expect(slices.Index(waiting.read, "few")).To(BeNumerically("<=", 3), "%v", waiting.read)
	})
}
