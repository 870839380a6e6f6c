package plain_test

import (
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"

	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/worker"
)

// imageLine is the pattern by which many tools find images: a line of a rendered document with the field image.
var imageLine = regexp.MustCompile(`(?m)^\s*(?:- )?image:\s*["']?([^\s"'#]+)`)

// findByLine returns the images that the pattern finds, by full name.
func findByLine(documents []objects.Document) map[string]bool {
	found := map[string]bool{}
	for _, document := range documents {
		for _, match := range imageLine.FindAllStringSubmatch(document.Text, -1) {
			if full, err := images.NormalizeReference(match[1]); err == nil {
				found[full] = true
			}
		}
	}
	return found
}

// comparedImages counts the images of charts by who finds them.
type comparedImages struct {
	mu                  sync.Mutex
	both                int
	structure, patterns []string
}

func (c *comparedImages) add(chart string, found []images.Image, byLine map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, image := range found {
		if byLine[image.Name] {
			c.both++
			delete(byLine, image.Name)
			continue
		}
		c.structure = append(c.structure, fmt.Sprintf("%s: %s (%s)", chart, image.Name, image.Where[0]))
	}
	for name := range byLine {
		c.patterns = append(c.patterns, chart+": "+name)
	}
}

// TestImagesOfPlainCharts compares the images that hydration finds in real charts with the findings of the line pattern.
// The pattern must find no image that hydration misses.
func TestImagesOfPlainCharts(t *testing.T) {
	charts := plainCharts(t)
	log.SetOutput(io.Discard) // Helm prints warnings about charts.
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	self, err := os.Executable()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	pool := &worker.Pool{Command: []string{self, plainWorker}, Workers: 2}
	t.Cleanup(pool.Close)
	compared := &comparedImages{}
	var group errgroup.Group
	group.SetLimit(2)
	for _, path := range charts {
		group.Go(func() error {
			archive, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			d, documents, err := hydratePlain(t, pool, archive)
			if err != nil || documents == nil {
				return nil // TestPlainCharts compares the errors with the errors of Helm.
			}
			compared.add(strings.TrimSuffix(filepath.Base(path), ".tgz"), d.Images, findByLine(documents))
			return nil
		})
	}
	NewWithT(t).Expect(group.Wait()).To(Succeed())
	slices.Sort(compared.structure)
	slices.Sort(compared.patterns)
	t.Logf("%d images found by both, %d by structure and conventions only, %d by the line pattern only", compared.both, len(compared.structure), len(compared.patterns))
	for _, image := range append(compared.structure, compared.patterns...) {
		t.Log(image)
	}
	NewWithT(t).Expect(compared.patterns).To(BeEmpty())
}
