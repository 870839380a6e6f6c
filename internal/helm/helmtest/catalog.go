package helmtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/appmarket/operator/internal/chart"
)

// CatalogUnits reads every chart unit of the catalog: the folders that contain a Chart.yaml, at the
// top level of an app or one level below.
func CatalogUnits(t testing.TB) map[string][]chart.File {
	t.Helper()
	root := os.Getenv("MARKET_CATALOG")
	if root == "" {
		t.Skip("left out: MARKET_CATALOG is not set")
	}
	found := map[string][]chart.File{}
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

func readFolder(t testing.TB, folder string) []chart.File {
	t.Helper()
	all, err := FolderFiles(folder)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// FolderFiles returns the files of a chart folder.
func FolderFiles(folder string) ([]chart.File, error) {
	var all []chart.File
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(folder, name))
		all = append(all, chart.File{Name: name, Data: data})
		return err
	})
	return all, err
}

// domain matches the entrances whose domains a template reads.
var domain = regexp.MustCompile(`\.Values\.domain\.(\w+)`)

// ParentValues returns the maps that charts of the catalog expect in their values, and a domain for each
// entrance.
func ParentValues(chart []chart.File) map[string]any {
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
