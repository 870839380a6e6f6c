package helm_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/helm"
)

// catalogUnits reads every chart unit of the catalog: the folders that have a
// Chart.yaml, at the top of an app or one below it.
func catalogUnits(t testing.TB) map[string][]hydrate.File {
	t.Helper()
	root := os.Getenv("MARKET_CATALOG")
	if root == "" {
		t.Skip("left out: MARKET_CATALOG is not set")
	}
	found := map[string][]hydrate.File{}
	for _, pattern := range []string{"*/Chart.yaml", "*/*/Chart.yaml"} {
		charts, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range charts {
			folder := filepath.Dir(file)
			found[folder] = readFolder(t, folder)
		}
	}
	return found
}

func readFolder(t testing.TB, folder string) []hydrate.File {
	t.Helper()
	all, err := folderFiles(folder)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func folderFiles(folder string) ([]hydrate.File, error) {
	var all []hydrate.File
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(folder, name))
		all = append(all, hydrate.File{Name: name, Data: data})
		return err
	})
	return all, err
}

// domain finds the entrances whose address a template asks for.
var domain = regexp.MustCompile(`\.Values\.domain\.(\w+)`)

// parents are the maps that charts of the catalog take for granted, and an
// address for each entrance.
func parents(chart []hydrate.File) map[string]any {
	values := map[string]any{}
	for _, path := range strings.Fields(`bfl user userspace domain olaresEnv workloads GPU
		cluster schedule os oidc.client oidc dep deps svcs postgres.databases mysql.databases
		mariadb.databases mongodb.databases redis.namespaces minio.buckets rabbitmq.vhosts
		elasticsearch.indexes nats.subjects nats.refs`) {
		at := values
		for part := range strings.SplitSeq(path, ".") {
			next, ok := at[part].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[part] = next
			}
			at = next
		}
	}
	for _, file := range chart {
		for _, m := range domain.FindAllSubmatch(file.Data, -1) {
			values["domain"].(map[string]any)[string(m[1])] = "app.example.com"
		}
	}
	return values
}

func TestCatalogRenders(t *testing.T) {
	units := catalogUnits(t)
	values := map[string]map[string]any{}
	for folder, chart := range units {
		values[folder] = parents(chart)
	}
	s := sandbox(t, nil)
	renderAll := func(with hydrate.Renderer, workers int) (time.Duration, map[string]error) {
		var (
			mu     sync.Mutex
			all    sync.WaitGroup
			failed = map[string]error{}
			places = make(chan struct{}, workers)
			bytes  atomic.Int64
		)
		began := time.Now()
		for folder, chart := range units {
			places <- struct{}{}
			all.Go(func() {
				defer func() { <-places }()
				out, err := with.Render(context.Background(), hydrate.RenderInput{
					Files: chart, Values: values[folder], Release: "app", Namespace: "user",
				})
				for _, one := range out.Documents {
					bytes.Add(int64(len(one.Text)))
				}
				if err != nil {
					mu.Lock()
					defer mu.Unlock()
					failed[filepath.Base(folder)] = err
				}
			})
		}
		all.Wait()
		return time.Since(began), failed
	}

	g := NewWithT(t)
	processors := runtime.GOMAXPROCS(0)
	engine, failed := renderAll(helm.Engine{}, processors)
	g.Expect(failed).To(BeEmpty())
	cold, failed := renderAll(s, processors)
	g.Expect(failed).To(BeEmpty())
	warm, failed := renderAll(s, processors)
	g.Expect(failed).To(BeEmpty())
	t.Logf("%d chart units, %d at once: engine %s, sandbox %s cold and %s warm, %.2f of the engine",
		len(units), processors, engine.Round(time.Millisecond), cold.Round(time.Millisecond),
		warm.Round(time.Millisecond), warm.Seconds()/engine.Seconds())
}
