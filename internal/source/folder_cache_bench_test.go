package source

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/appmarket/operator/hydrate"
)

// BenchmarkFolder lists a folder with as many charts as a real market has, of eleven files
// each, without a cache and with all charts in the cache.
func BenchmarkFolder(b *testing.B) {
	const charts = 208
	root := b.TempDir()
	for i := range charts {
		files := map[string]string{"Chart.yaml": fmt.Sprintf("apiVersion: v2\nname: app-%d\nversion: 1.0.0\n", i)}
		for j := range 9 {
			files[fmt.Sprintf("templates/object-%d.yaml", j)] = strings.Repeat("key: value\n", 400)
		}
		files["values.yaml"] = "a: 1\n"
		for name, data := range files {
			path := filepath.Join(root, fmt.Sprint(i), name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				b.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
				b.Fatal(err)
			}
		}
	}
	// The clock is an hour ahead, so that the facts of all files are reliable.
	later := &FolderCache{now: func() time.Time { return time.Now().Add(maxReadingAge) }}
	for name, cache := range map[string]*FolderCache{"read": nil, "unchanged": later} {
		b.Run(name, func(b *testing.B) {
			from, err := Open(Config{Directory: &DirectoryConfig{Path: root, AllowedRoots: []string{root}, Cache: cache}})
			if err != nil {
				b.Fatal(err)
			}
			list, err := from.List(b.Context(), hydrate.Cursor{})
			if err != nil || len(list.Apps) != charts {
				b.Fatal(len(list.Apps), err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := from.List(b.Context(), hydrate.Cursor{Revision: list.Revision}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
