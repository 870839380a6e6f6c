package manifest_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/manifest"
)

// parents are the paths that charts of the catalog reach through.
var parents = strings.Fields(`
	bfl user userspace domain olaresEnv workloads GPU cluster schedule os oidc oidc.client dep deps svcs
	postgres.databases mysql.databases mariadb.databases mongodb.databases clickhouse.databases
	redis.namespaces minio.buckets rabbitmq.vhosts elasticsearch.indexes nats.subjects nats.refs`)

// leaves are the paths that must have a value, if only an empty one.
var leaves = strings.Fields(`
	bfl.username admin isAdmin user.zone userspace.appData userspace.appCache userspace.userData
	userspace.appCommon userspace.sharedLib userspace.externalData sysVersion sharedlib GPU.Type GPU.Cuda
	gpu nodes cluster.arch deviceName rootPath downloadCdnURL fs_type schedule.nodeName os.appKey os.appSecret
	oidc.client.id oidc.client.secret oidc.issuer
	postgres.host postgres.port postgres.username postgres.password redis.host redis.port redis.password
	minio.host minio.username rabbitmq.password`)

func at(values map[string]any, path string) any {
	var value any = values
	for key := range strings.SplitSeq(path, ".") {
		parent, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = parent[key]
	}
	return value
}

func TestOlaresParents(t *testing.T) {
	t.Parallel()
	for why, m := range map[string]*hydrate.Manifest{"without a manifest": nil, "with an empty one": {}} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			values := manifest.Olares{}.Values(m, hydrate.Place{})
			for _, path := range parents {
				g.Expect(at(values, path)).To(BeAssignableToTypeOf(map[string]any{}), path)
			}
			for _, path := range leaves {
				g.Expect(at(values, path)).NotTo(BeNil(), path)
			}
			g.Expect(values["admin"]).To(Equal(at(values, "bfl.username")), "rendered for an administrator")
		})
	}
}

func TestOlaresFromManifest(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	m, err := manifest.Reader{}.Read([]byte(full))
	g.Expect(err).NotTo(HaveOccurred())
	values := manifest.Olares{}.Values(m, hydrate.Place{})
	for path, want := range map[string]any{
		"domain":                       map[string]any{"web": "web.admin.example.com", "api": "api.admin.example.com"},
		"olaresEnv":                    map[string]any{"LANGUAGE": "en", "LEVEL": "", "WORDS": "", "TOKEN": "", "FIXED": "true"},
		"workloads.notes.replicaCount": int64(1),
		"workloads.notes-web":          map[string]any{"replicaCount": int64(2)},
		"postgres.databases":           map[string]any{"notes": "notes", "log": "log"},
		"postgres.username":            "notes",
		"redis.namespaces":             map[string]any{"n0": "n0"},
		"futuredb.databases":           map[string]any{"one": "one"},
		"os.notes":                     map[string]any{"appKey": at(values, "os.appKey"), "appSecret": at(values, "os.appSecret")},
		"os.server.appKey":             at(values, "os.appKey"),
		"mysql.databases":              map[string]any{},
		"nats.refs":                    map[string]any{},
	} {
		g.Expect(at(values, path)).To(Equal(want), path)
	}
}

func TestOlaresFresh(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	m, err := manifest.Reader{}.Read([]byte(full))
	g.Expect(err).NotTo(HaveOccurred())
	want, scribbled := manifest.Olares{}.Values(m, hydrate.Place{}), manifest.Olares{}.Values(m, hydrate.Place{})
	scribble(scribbled)
	g.Expect(manifest.Olares{}.Values(m, hydrate.Place{})).To(Equal(want), "no map is shared between calls or with the package")
	g.Expect(m.Middlewares["postgres"].Names).To(Equal([]string{"notes", "log"}))
}

func scribble(values map[string]any) {
	for key, value := range values {
		if inner, ok := value.(map[string]any); ok {
			scribble(inner)
		}
		values[key] = "scribbled"
	}
	values["more"] = true
}

func TestHelm(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	g.Expect(manifest.Helm{}.Values(nil, hydrate.Place{})).To(BeEmpty())
	g.Expect(manifest.Helm{}.Values(&hydrate.Manifest{Name: "a"}, hydrate.Place{})).To(BeEmpty())
}
