package chartrepo

import (
	"encoding/json"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
)

// FuzzRecord decodes any record of the store. A record that is accepted is at its own path below the folder of
// records, and results in an entry of the index.
func FuzzRecord(f *testing.F) {
	const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	f.Add([]byte(`{"format":1,"namespace":"market","source":"main","app":"web","version":"1.0.0","chart":{"name":"web","version":"1.0.0"},"archive":{"digest":"` + digest + `","size":1},"created":"2026-11-30T12:00:00Z"}`))
	f.Add([]byte(`{"format":1,"namespace":"..","source":"main","app":"web","version":"1.0.0","chart":[],"archive":{"digest":"` + digest + `","size":-1}}`))
	f.Add([]byte(`{"format":1,"namespace":"market","source":"main","app":"web","version":"1","chart":null,"archive":{"digest":"` + digest + `"},"reports":{"digest":"x"}}`))
	f.Fuzz(func(t *testing.T, inner []byte) {
		g := NewWithT(t)
		_, err := decodeRecord("", inner)
		g.Expect(err).To(HaveOccurred(), "it has no digest")
		if !json.Valid(inner) {
			return
		}
		data, err := json.Marshal(envelope{Digest: digestOf(inner), Record: inner})
		g.Expect(err).NotTo(HaveOccurred())
		var names record
		if json.Unmarshal(inner, &names) != nil {
			return
		}
		found, err := decodeRecord(names.path(), data)
		if err != nil {
			return
		}
		g.Expect(filepath.Rel(recordsFolder, found.path())).NotTo(HavePrefix(".."))
		g.Expect(found.entry).NotTo(BeEmpty())
	})
}
