package recording

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
)

// FuzzAbandonedRecording completes or removes any file that a process has left.
func FuzzAbandonedRecording(f *testing.F) {
	f.Add([]byte(`{"version":2,"width":80,"height":24,"timestamp":1796040000,"title":"x","appmarket":{"user":"me","namespace":"a","pod":"b"}}` + "\n" + `[0.1,"o","x"]`))
	f.Add([]byte("{\"timestamp\":9223372036854775807}\n"))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, content []byte) {
		g, dir := NewWithT(t), t.TempDir()
		store, err := Open(dir, Limits{Bytes: MaxBytes}, logr.Discard())
		g.Expect(err).NotTo(HaveOccurred())
		path := filepath.Join(dir, "left"+partSuffix)
		g.Expect(os.WriteFile(path, content, fileMode)).To(Succeed())
		err = store.completeAbandoned(storedFile{name: "left" + partSuffix, size: int64(len(content))})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(path).NotTo(BeAnExistingFile())
	})
}
