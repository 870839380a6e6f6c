package chartrepo_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chartrepo"
)

func removeFile(t testing.TB, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func truncateFile(t testing.TB, path string) {
	t.Helper()
	if err := os.Truncate(path, 3); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// damage is a kind of damage to the files of a published version.
type damage struct {
	why string
	do  func(t testing.TB, dir string, p hydrate.PublishRequest, report string)
	// onVolume is set for damage that a bucket cannot have.
	onVolume bool
	// atOpen is set if Open detects the damage, served if the archive is still served after a
	// scrub.
	atOpen, served bool
}

var damages = []damage{
	{why: "archive missing", atOpen: true, do: func(t testing.TB, dir string, p hydrate.PublishRequest, _ string) {
		removeFile(t, blobFile(dir, p.Digest))
	}},
	{why: "archive cut", atOpen: true, do: func(t testing.TB, dir string, p hydrate.PublishRequest, _ string) {
		truncateFile(t, blobFile(dir, p.Digest))
	}},
	{why: "bit flipped in archive", do: func(t testing.TB, dir string, p hydrate.PublishRequest, _ string) {
		flipByte(t, blobFile(dir, p.Digest))
	}},
	{why: "reports missing", served: true, do: func(t testing.TB, dir string, _ hydrate.PublishRequest, report string) {
		removeFile(t, blobFile(dir, report))
	}},
	{why: "bit flipped in reports", served: true, do: func(t testing.TB, dir string, _ hydrate.PublishRequest, report string) {
		flipByte(t, blobFile(dir, report))
	}},
	{why: "record missing", do: func(t testing.TB, dir string, p hydrate.PublishRequest, _ string) {
		removeFile(t, recordFile(dir, p))
	}},
	{why: "record cut", atOpen: true, do: func(t testing.TB, dir string, p hydrate.PublishRequest, _ string) {
		truncateFile(t, recordFile(dir, p))
	}},
	{why: "bit flipped in record", atOpen: true, do: func(t testing.TB, dir string, p hydrate.PublishRequest, _ string) {
		flipByte(t, recordFile(dir, p))
	}},
	{why: "record emptied", atOpen: true, do: func(t testing.TB, dir string, p hydrate.PublishRequest, _ string) {
		writeFile(t, recordFile(dir, p), "")
	}},
	{why: "record of another version", atOpen: true, do: func(t testing.TB, dir string, p hydrate.PublishRequest, _ string) {
		other, err := os.ReadFile(filepath.Join(filepath.Dir(recordFile(dir, p)), "2.0.0.json"))
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, recordFile(dir, p), string(other))
	}},
	{why: "record of a newer version", atOpen: true, do: func(t testing.TB, dir string, p hydrate.PublishRequest, _ string) {
		data, err := os.ReadFile(recordFile(dir, p))
		if err != nil {
			t.Fatal(err)
		}
		_, inner, _ := strings.Cut(strings.TrimSuffix(string(data), "}\n"), `"record":`)
		inner = strings.Replace(inner, `"format":1`, `"format":2`, 1)
		writeFile(t, recordFile(dir, p), `{"digest":"`+digestOf([]byte(inner))+`","record":`+inner+"}\n")
	}},
	{why: "archive longer", atOpen: true, do: func(t testing.TB, dir string, p hydrate.PublishRequest, _ string) {
		writeFile(t, blobFile(dir, p.Digest), string(p.Archive)+"more")
	}},
	{why: "record is a link", onVolume: true, atOpen: true, do: func(t testing.TB, dir string, p hydrate.PublishRequest, _ string) {
		removeFile(t, recordFile(dir, p))
		if err := os.Symlink("/etc/hostname", recordFile(dir, p)); err != nil {
			t.Fatal(err)
		}
	}},
	{why: "volume wiped", do: func(t testing.TB, dir string, _ hydrate.PublishRequest, _ string) {
		for _, name := range []string{"records", "blobs"} {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}},
}

func TestScrubFindsDamage(t *testing.T) {
	onEachStorage(t, func(t *testing.T, in storageKind) {
		for _, c := range in.possibleDamages() {
			t.Run(c.why, func(t *testing.T) {
				g := gomega.NewWithT(t)
				dir, recorder := t.TempDir(), &damageRecorder{}
				store := in.openStore(t, dir, recorder)
				p := newPublication(t, main, "web", "1.0.0")
				report := "sha256:" + strings.TrimPrefix(publishAll(t, store, p, newPublication(t, main, "web", "2.0.0"))[0].Report, "reports/")
				_, err := store.Archive(p.Digest) // the cache has it
				g.Expect(err).NotTo(gomega.HaveOccurred())
				c.do(t, dir, p, report)

				found, err := store.Scrub(context.Background())
				g.Expect(err).NotTo(gomega.HaveOccurred())
				g.Expect(found).To(gomega.ContainElement(gomega.And(
					gomega.HaveField("Owner", main), gomega.HaveField("App", "web"), gomega.HaveField("Version", "1.0.0"),
					gomega.HaveField("Err", gomega.HaveOccurred()))))
				g.Expect(recorder.recorder).To(gomega.Equal(found))
				g.Expect(store.Has(main, "web", "1.0.0", p.Digest)).To(gomega.BeFalse())
				if c.served {
					g.Expect(publishedNames(store)).To(gomega.ContainElement("main/web 1.0.0"))
				} else {
					g.Expect(publishedNames(store)).NotTo(gomega.ContainElement("main/web 1.0.0"))
				}

				publishAll(t, store, p, newPublication(t, main, "web", "2.0.0"))
				g.Expect(store.Has(main, "web", "1.0.0", p.Digest)).To(gomega.BeTrue(), "published again")
				found, err = store.Scrub(context.Background())
				g.Expect(err).NotTo(gomega.HaveOccurred())
				g.Expect(found).To(gomega.BeEmpty())
			})
		}
	})
}

func TestOpenDropsDamagedRecords(t *testing.T) {
	onEachStorage(t, func(t *testing.T, in storageKind) {
		for _, c := range in.possibleDamages() {
			t.Run(c.why, func(t *testing.T) {
				g := gomega.NewWithT(t)
				dir, recorder := t.TempDir(), &damageRecorder{}
				p := newPublication(t, main, "web", "1.0.0")
				published := publishAll(t, in.openStore(t, dir, nil), p, newPublication(t, main, "web", "2.0.0"))[0]
				c.do(t, dir, p, "sha256:"+strings.TrimPrefix(published.Report, "reports/"))

				store := in.openStore(t, dir, recorder)
				if c.atOpen {
					g.Expect(recorder.damagedApps()).To(gomega.Equal([]string{"web 1.0.0"}))
					g.Expect(publishedNames(store)).To(gomega.Equal([]string{"main/web 2.0.0"}))
					g.Expect(recordFile(dir, p)).NotTo(gomega.BeAnExistingFile())
				} else {
					g.Expect(recorder.damagedApps()).To(gomega.BeEmpty())
				}
				publishAll(t, store, p)
				g.Expect(store.Has(main, "web", "1.0.0", p.Digest)).To(gomega.BeTrue())
			})
		}
	})
}

// TestNeverServesOtherBytes checks that a client gets the published bytes or none, for each
// kind of damage.
func TestNeverServesOtherBytes(t *testing.T) {
	onEachStorage(t, func(t *testing.T, in storageKind) {
		for _, c := range in.possibleDamages() {
			for name, cache := range map[string]int64{"small cache": 1 << 20, "no cache": -1} {
				t.Run(c.why+", "+name, func(t *testing.T) {
					g := gomega.NewWithT(t)
					dir, recorder := t.TempDir(), &damageRecorder{}
					p := newPublication(t, main, "web", "1.0.0")
					published := publishAll(t, in.openStore(t, dir, nil), p, newPublication(t, main, "web", "2.0.0"))[0]
					c.do(t, dir, p, "sha256:"+strings.TrimPrefix(published.Report, "reports/"))

					store := in.openStoreWith(t, dir, chartrepo.Options{CacheBytes: cache, OnDamaged: recorder.recordDamage})
					handler := chartrepo.Handler(store, chartrepo.HandlerOptions{})
					for path, want := range map[string]string{
						"/" + published.Chart:                   string(p.Archive),
						"/" + published.Report + "/README.md":   string(p.Reports["README.md"]),
						"/" + published.Report + "/values.yaml": string(p.Reports["values.yaml"]),
					} {
						answer := httptest.NewRecorder()
						handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
						if answer.Code == http.StatusOK {
							g.Expect(answer.Body.String()).To(gomega.Equal(want))
						} else {
							g.Expect(answer.Code).To(gomega.BeElementOf(http.StatusNotFound, http.StatusServiceUnavailable, http.StatusUnauthorized))
						}
					}
					if strings.HasPrefix(c.why, "bit") {
						g.Expect(recorder.damagedApps()).To(gomega.ContainElement("web 1.0.0"), "the request reports the damage")
					}
				})
			}
		}
	})
}

func TestScrubStopsWithItsContext(t *testing.T) {
	onEachStorage(t, func(t *testing.T, in storageKind) {
		g := gomega.NewWithT(t)
		store := in.openStore(t, t.TempDir(), nil)
		publishAll(t, store, newPublication(t, main, "web", "1.0.0"))
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := store.Scrub(ctx)
		g.Expect(err).To(gomega.MatchError(context.Canceled))
		g.Expect(publishedNames(store)).To(gomega.HaveLen(1))
	})
}
