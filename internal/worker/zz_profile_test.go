package worker_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/manifest"
)

func TestZZProfile(t *testing.T) {
	var all [][]byte
	_ = filepath.WalkDir(os.Getenv("MARKET_PLAIN"), func(p string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".tgz") {
			b, _ := os.ReadFile(p)
			all = append(all, b)
		}
		return nil
	})
	begin := time.Now()
	took := map[hydrate.Name]time.Duration{}
	for _, a := range all {
		files, err := hydrate.Unpack(a)
		if err != nil {
			continue
		}
		meta, err := hydrate.ReadMetadata(files)
		if err != nil {
			continue
		}
		_, tk, _ := inProcess.Analyze(t.Context(), hydrate.Request{App: meta.Name, Profile: manifest.Helm{}, Offer: hydrate.Offer{Version: meta.Version}}, hydrate.Payload{Archive: a})
		for k, v := range tk {
			took[k] += v
		}
	}
	t.Logf("%d charts in %s: %v", len(all), time.Since(begin), took)
}
