package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/appmarket/operator/internal/fairsemaphore"
)

// maxIdleCheckout is the time after which an unused checkout is removed. The charts of a listing are
// usually fetched within seconds.
const maxIdleCheckout = 10 * time.Minute

// Checkouts holds the charts of git commits and of artifacts in a folder on a volume, from a listing
// until its charts are fetched. Sources with the same configuration share a checkout. The zero value with
// a folder is ready for use. It is safe for concurrent use.
type Checkouts struct {
	// Dir is the folder of the checkouts. It is created on demand. If it is empty, the folder for
	// temporary files is used.
	Dir string

	mu    sync.Mutex
	byKey map[string]*checkout
	// parsing limits the number of packs and archives that are read at the same time to one, fairly among
	// namespaces.
	parsing *fairsemaphore.Semaphore
}

// checkout contains the charts of one commit of a repository, or of one artifact.
type checkout struct {
	key string
	// busy is taken while the fields below or the folder are used.
	busy chan struct{}
	// revision is the commit, or the digest of the artifact.
	revision string
	dir      string
	expiry   *time.Timer
}

// RemoveAll removes all checkouts, including the checkouts of a process that was killed. It must not be
// called while a checkout is used.
func (g *Checkouts) RemoveAll() error {
	if g.Dir == "" {
		return nil
	}
	if err := os.RemoveAll(g.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove checkouts: %w", err)
	}
	return nil
}

// takeCheckout waits for the checkout with a key. The caller must call returnCheckout.
func (g *Checkouts) takeCheckout(ctx context.Context, key string) (*checkout, error) {
	g.mu.Lock()
	if g.byKey == nil {
		g.byKey, g.parsing = map[string]*checkout{}, fairsemaphore.New(1)
	}
	found := g.byKey[key]
	if found == nil {
		found = &checkout{key: key, busy: make(chan struct{}, 1)}
		g.byKey[key] = found
	}
	g.mu.Unlock()
	if err := takeSlot(ctx, found.busy); err != nil {
		return nil, err
	}
	if found.expiry != nil {
		found.expiry.Stop()
	}
	return found, nil
}

// takeSlot waits until a channel has room, or until the context ends.
func takeSlot(ctx context.Context, slots chan struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// returnCheckout makes a checkout available for others, and removes it later.
func (g *Checkouts) returnCheckout(used *checkout) {
	used.expiry = time.AfterFunc(maxIdleCheckout, func() { g.expire(used) })
	<-used.busy
}

// expire removes a checkout that is not used, with its files. A source that has found it and takes it afterwards reads
// the files again.
func (g *Checkouts) expire(c *checkout) {
	select {
	case c.busy <- struct{}{}:
		g.mu.Lock()
		if g.byKey[c.key] == c {
			delete(g.byKey, c.key)
		}
		g.mu.Unlock()
		c.clear()
		<-c.busy
	default: // It is used again, and expires later.
	}
}

// clear removes the files. Files that cannot be removed are removed when the operator starts.
func (c *checkout) clear() {
	if c.dir != "" {
		_ = os.RemoveAll(c.dir)
	}
	c.revision, c.dir = "", ""
}

// replace replaces the files of a checkout by those that write creates in a new folder, within maxParsingTime.
func (g *Checkouts) replace(ctx context.Context, c *checkout, namespace, revision string, write func(ctx context.Context, to *os.Root) error) error {
	if err := g.parsing.Acquire(ctx, namespace); err != nil {
		return err
	}
	defer g.parsing.Release(namespace)
	ctx, cancel := context.WithTimeout(ctx, maxParsingTime)
	defer cancel()
	dir, err := g.newFolder()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err == nil {
		err = errors.Join(write(ctx, root), root.Close())
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	c.clear()
	c.revision, c.dir = revision, dir
	return nil
}

// newFolder creates a folder for the files of a checkout.
func (g *Checkouts) newFolder() (string, error) {
	if err := g.makeDir(); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(g.Dir, "git-")
	if err != nil {
		return "", fmt.Errorf("create folder for the files: %w", err)
	}
	return dir, nil
}

// newDownload creates a file that has no name, so that it is removed when it is closed.
func (g *Checkouts) newDownload() (*os.File, error) {
	if err := g.makeDir(); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(g.Dir, "download-")
	if err != nil {
		return nil, fmt.Errorf("create file for the download: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("remove name of the download: %w", err), file.Close())
	}
	return file, nil
}

func (g *Checkouts) makeDir() error {
	if g.Dir == "" {
		return nil
	}
	if err := os.MkdirAll(g.Dir, 0o700); err != nil {
		return fmt.Errorf("create folder of checkouts: %w", err)
	}
	return nil
}
