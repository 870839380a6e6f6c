package olares_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/olares"
)

// parents contains the paths of maps that charts of the catalog read.
var parents = strings.Fields(`
	bfl user userspace domain olaresEnv workloads GPU cluster schedule os oidc oidc.client dep deps svcs
	postgres.databases mysql.databases mariadb.databases mongodb.databases clickhouse.databases
	redis.namespaces minio.buckets rabbitmq.vhosts elasticsearch.indexes nats.subjects nats.refs`)

// leaves contains the paths that must have a value, which may be empty.
var leaves = strings.Fields(`
	bfl.username admin isAdmin user.zone userspace.appData userspace.appCache userspace.userData
	userspace.appCommon userspace.sharedLib userspace.externalData sysVersion sharedlib GPU.Type GPU.Cuda
	gpu nodes cluster.arch deviceName rootPath downloadCdnURL fs_type schedule.nodeName os.appKey os.appSecret
	oidc.client.id oidc.client.secret oidc.issuer
	postgres.host postgres.port postgres.username postgres.password redis.host redis.port redis.password
	minio.host minio.username rabbitmq.password`)

func valueAt(values map[string]any, path string) any {
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
			values := olares.Profile{}.Values(m, hydrate.InstallTarget{})
			for _, path := range parents {
				g.Expect(valueAt(values, path)).To(BeAssignableToTypeOf(map[string]any{}), path)
			}
			for _, path := range leaves {
				g.Expect(valueAt(values, path)).NotTo(BeNil(), path)
			}
			g.Expect(values["admin"]).To(Equal(valueAt(values, "bfl.username")), "the user is an administrator")
		})
	}
}

func TestOlaresFromManifest(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	m, err := olares.Reader{}.Read([]byte(fullManifest))
	g.Expect(err).NotTo(HaveOccurred())
	values := olares.Profile{}.Values(m, hydrate.InstallTarget{})
	for path, want := range map[string]any{
		"domain":                       map[string]any{"web": "web.admin.example.com", "api": "api.admin.example.com"},
		"olaresEnv":                    map[string]any{"LANGUAGE": "en", "LEVEL": "", "WORDS": "", "TOKEN": "", "FIXED": "true"},
		"workloads.notes.replicaCount": int64(1),
		"workloads.notes-web":          map[string]any{"replicaCount": int64(2)},
		"postgres.databases":           map[string]any{"notes": "notes", "log": "log"},
		"postgres.username":            "notes",
		"redis.namespaces":             map[string]any{"n0": "n0"},
		"futuredb.databases":           map[string]any{"one": "one"},
		"os.notes":                     map[string]any{"appKey": valueAt(values, "os.appKey"), "appSecret": valueAt(values, "os.appSecret")},
		"os.server.appKey":             valueAt(values, "os.appKey"),
		"mysql.databases":              map[string]any{},
		"nats.refs":                    map[string]any{},
	} {
		g.Expect(valueAt(values, path)).To(Equal(want), path)
	}
}

func TestOlaresFresh(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	m, err := olares.Reader{}.Read([]byte(fullManifest))
	g.Expect(err).NotTo(HaveOccurred())
	want, scribbled := olares.Profile{}.Values(m, hydrate.InstallTarget{}), olares.Profile{}.Values(m, hydrate.InstallTarget{})
	overwriteAll(scribbled)
	g.Expect(olares.Profile{}.Values(m, hydrate.InstallTarget{})).To(Equal(want), "calls share no map")
	g.Expect(m.Middlewares["postgres"].Names).To(Equal([]string{"notes", "log"}))
}

func overwriteAll(values map[string]any) {
	for key, value := range values {
		if inner, ok := value.(map[string]any); ok {
			overwriteAll(inner)
		}
		values[key] = "scribbled"
	}
	values["more"] = true
}

func TestHelm(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	g.Expect(olares.HelmProfile{}.Values(nil, hydrate.InstallTarget{})).To(BeEmpty())
	g.Expect(olares.HelmProfile{}.Values(&hydrate.Manifest{Name: "a"}, hydrate.InstallTarget{})).To(BeEmpty())
}
