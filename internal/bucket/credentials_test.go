package bucket

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func TestKeysAreReadAgain(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	writeKey := func(name, key string) {
		g.Expect(os.WriteFile(filepath.Join(dir, name), []byte(key), 0o600)).To(Succeed())
	}
	writeKey(accessKeyFile, "access")
	writeKey(secretKeyFile, "old\n")
	files := &keyFiles{dir: dir}
	g.Expect(files.IsExpired()).To(BeTrue())
	keys, err := files.Retrieve()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(keys.SecretAccessKey).To(Equal("old"), "without the end of the line")
	g.Expect(files.IsExpired()).To(BeFalse())

	writeKey(secretKeyFile, "new")
	files.read = time.Now().Add(-2 * keyAge)
	g.Expect(files.IsExpired()).To(BeTrue())
	keys, err = files.Retrieve()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(keys.SecretAccessKey).To(Equal("new"))
	writeKey(secretKeyFile, string(make([]byte, maxKeyBytes+1)))
	_, err = files.Retrieve()
	g.Expect(err).To(MatchError(ContainSubstring("must contain a key")))
}
