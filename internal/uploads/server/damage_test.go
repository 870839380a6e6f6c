package server_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/volume"
)

// damages are what can happen to a file on the volume.
var damages = map[string]func(path string, content []byte) error{
	"a changed bit": func(path string, content []byte) error {
		content[len(content)/2] ^= 4
		return os.WriteFile(path, content, 0o600)
	},
	"half of it": func(path string, content []byte) error { return os.Truncate(path, int64(len(content)/2)) },
	"nothing":    func(path string, _ []byte) error { return os.Remove(path) },
}

// damageBlobs damages all content of the source.
func (m *market) damageBlobs(damage func(path string, content []byte) error) {
	m.Helper()
	g := NewWithT(m)
	files, err := filepath.Glob(filepath.Join(m.dir, "charts/market/team/blobs/*"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(files).NotTo(BeEmpty())
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), volume.TemporaryPrefix) {
			continue
		}
		content, err := os.ReadFile(file)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(damage(file, content)).To(Succeed())
	}
}

// expectIntact expects that the source has all content of a chart where it is kept.
func (m *market) expectIntact(archive []byte) {
	m.Helper()
	g := NewWithT(m)
	g.Expect(m.send(http.MethodHead, webFile+"?digest="+chart.Digest(archive), all, nil).status).To(Equal(http.StatusOK))
	g.Expect(os.RemoveAll(filepath.Join(m.dir, "incoming"))).To(Succeed(), "what the sweep removes later")
	found, err := m.store.FindFile(team, "web-1.0.0.tgz")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(m.store.IsComplete(m.Context(), team, found)).To(BeTrue())
	g.Expect(m.store.Archive(team, chart.Digest(archive))).To(Equal(archive))
}

// TestUploadRepairsAnArchive uploads an archive again after the content on the volume was damaged or lost. It cannot
// be deleted, because it is installed.
func TestUploadRepairsAnArchive(t *testing.T) {
	for why, damage := range damages {
		for with, query := range map[string]string{"a digest": "?digest=", "no digest": ""} {
			t.Run(why+" is left, PUT with "+with, func(t *testing.T) {
				g, m := NewWithT(t), startMarket(t)
				archive := newArchive(t, "web", "1.0.0", "a")
				if query != "" {
					query += chart.Digest(archive)
				}
				g.Expect(m.send(http.MethodPut, webFile, all, archive).status).To(Equal(http.StatusCreated))
				m.damageBlobs(damage)
				g.Expect(m.send(http.MethodHead, webFile+"?digest="+chart.Digest(archive), all, nil).status).To(Equal(http.StatusNotFound))
				put := m.send(http.MethodPut, webFile+query, all, archive)
				g.Expect(put.status).To(Equal(http.StatusOK), put.body)
				m.expectIntact(archive)
			})
		}
	}
}

// TestPutRepairsOnlyWhatWasLost has a chart with the manifest of a client, of which only the archive is lost.
func TestPutRepairsOnlyWhatWasLost(t *testing.T) {
	g, m := NewWithT(t), startMarket(t)
	archive := newArchive(t, "web", "1.0.0", "a")
	g.Expect(m.send(http.MethodPut, webFile, all, archive).status).To(Equal(http.StatusCreated))
	before, err := m.store.FindFile(team, "web-1.0.0.tgz")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.Remove(filepath.Join(m.dir, "charts/market/team/blobs", strings.TrimPrefix(before.Archive.Digest, "sha256:")))).To(Succeed())
	g.Expect(m.send(http.MethodPut, webFile, all, archive).status).To(Equal(http.StatusOK))
	after, err := m.store.FindFile(team, "web-1.0.0.tgz")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(after.Manifest).To(Equal(before.Manifest))
	g.Expect(after.Created.After(before.Created)).To(BeTrue(), "the source offers a change, so that the app is hydrated")
	m.expectIntact(archive)
}

func TestHelmPushRepairsAnArchive(t *testing.T) {
	program := os.Getenv("HELM3")
	if program == "" {
		t.Skip("skipped: HELM3 is not set")
	}
	for why, damage := range damages {
		t.Run(why+" is left", func(t *testing.T) {
			g, m, home := NewWithT(t), startMarket(t), t.TempDir()
			host := strings.TrimPrefix(m.url, "http://")
			archive := newArchive(t, "web", "1.0.0", "a")
			file := filepath.Join(home, "web.tgz")
			g.Expect(os.WriteFile(file, archive, 0o600)).To(Succeed())
			out, err := runHelm(t, program, home, "registry", "login", host, "--username", "x", "--password", all, "--plain-http")
			g.Expect(err).NotTo(HaveOccurred(), out)
			for range 2 {
				out, err = runHelm(t, program, home, "push", file, "oci://"+host+"/market/team", "--plain-http")
				g.Expect(err).NotTo(HaveOccurred(), out)
				m.expectIntact(archive)
				m.damageBlobs(damage)
			}
			out, err = runHelm(t, program, home, "push", file, "oci://"+host+"/market/team", "--plain-http")
			g.Expect(err).NotTo(HaveOccurred(), out)
			m.expectIntact(archive)
		})
	}
}
