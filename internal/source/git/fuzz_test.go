package git_test

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source/git"
)

const commit = "0000000000000000000000000000000000000001"

// FuzzReferences reads any list of references, and any response to a request for a pack.
func FuzzReferences(f *testing.F) {
	line := func(text string) string { return fmt.Sprintf("%04x%s", len(text)+4, text) }
	f.Add([]byte(line(commit+" HEAD\x00shallow ofs-delta symref=HEAD:refs/heads/main\n")+line(commit+" refs/heads/main\n")+line(commit+" refs/tags/v1.2.3\n")+
		line(commit+" refs/tags/v1.2.3^{}\n")+"0000"), []byte("0000"+"0008NAK\n"+"PACK"))
	f.Add([]byte(line(commit+" capabilities^{}\x00 \n")+line("shallow "+commit+"\n")+"0000"), []byte(line("shallow "+commit+"\n")+"00000008NAK\n"))
	f.Add([]byte("0000"), []byte("ffff"))
	f.Fuzz(func(t *testing.T, advertised, response []byte) {
		g := NewWithT(t)
		references, err := git.ReadReferences(bytes.NewReader(advertised))
		if err != nil {
			return
		}
		for _, selection := range []git.Selection{{}, {Branch: "main"}, {Tag: "v1.2.3"}, {Semver: "*"}, {Commit: commit}} {
			found, err := references.Select(selection)
			if err != nil {
				g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
				continue
			}
			request, err := references.NewRequest(found)
			g.Expect(err).NotTo(HaveOccurred())
			_ = request.ReadPack(bytes.NewReader(response), io.Discard) // Any error is one of the server.
		}
	})
}

// FuzzCheckout checks out any pack. A pack without its checksum reaches the parser of the objects.
func FuzzCheckout(f *testing.F) {
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x00"), "charts")
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01\x30x\x9c\x03\x00\x00\x00\x00\x01"), ".")
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01\x6f\x01x\x9c\x03\x00\x00\x00\x00\x01"), "")
	f.Fuzz(func(t *testing.T, objects []byte, folder string) {
		g, dir := NewWithT(t), t.TempDir()
		sum := sha1.Sum(objects)
		path := filepath.Join(dir, "pack")
		g.Expect(os.WriteFile(path, append(objects, sum[:]...), 0o600)).To(Succeed())
		g.Expect(os.Mkdir(filepath.Join(dir, "to"), 0o700)).To(Succeed())
		file, err := os.Open(path)
		g.Expect(err).NotTo(HaveOccurred())
		defer file.Close()
		to, err := os.OpenRoot(filepath.Join(dir, "to"))
		g.Expect(err).NotTo(HaveOccurred())
		defer to.Close()
		// The caller is guarded too: a panic of the library is an error of the source.
		err = outcome.Guarded(func() error { return git.Checkout(t.Context(), file, commit, folder, to) })()
		g.Expect(err).To(HaveOccurred(), "no pack of this size has the commit")
		g.Expect(os.ReadDir(filepath.Join(dir, "to"))).To(BeEmpty())
	})
}
