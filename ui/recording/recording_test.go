package recording

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
)

var jane = About{User: "jane", Namespace: "demo", Instance: "wiki", Pod: "wiki-a", Container: "web"}

func openStore(t *testing.T, limits Limits) *Store {
	t.Helper()
	s, err := Open(t.TempDir(), limits, logr.Discard())
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return s
}

// namesIn returns the names of the files of a store that end with a suffix.
func (s *Store) namesIn(t *testing.T, suffix string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(s.dir, "*"+suffix))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found
}

func TestRecordingIsAnAsciicast(t *testing.T) {
	g := NewWithT(t)
	s := openStore(t, Limits{Bytes: 1 << 30, Age: time.Hour})
	r, err := s.Begin(jane, 80, 24)
	g.Expect(err).NotTo(HaveOccurred())
	for _, output := range [][]byte{[]byte("hello \xe7\xac"), []byte("\x94\x1b[0m\r\n"), {0xff}, []byte("</script>")} {
		g.Expect(r.WriteOutput(output)).To(Succeed())
	}
	g.Expect(r.WriteSize(120, 40)).To(Succeed())
	digest, err := r.End("Ended")
	g.Expect(err).NotTo(HaveOccurred())
	content, err := os.ReadFile(filepath.Join(s.dir, digest+".cast"))
	g.Expect(err).NotTo(HaveOccurred())
	sum := sha256.Sum256(content)
	g.Expect(hex.EncodeToString(sum[:])).To(Equal(digest))

	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	var head map[string]any
	g.Expect(json.Unmarshal([]byte(lines[0]), &head)).To(Succeed())
	g.Expect(head).To(And(HaveKeyWithValue("version", 2.0), HaveKeyWithValue("width", 80.0), HaveKeyWithValue("height", 24.0), HaveKey("timestamp")))
	var output strings.Builder
	var sizes []string
	for _, line := range lines[1:] {
		var event []any
		g.Expect(json.Unmarshal([]byte(line), &event)).To(Succeed())
		g.Expect(event).To(HaveLen(3))
		g.Expect(event[0]).To(BeNumerically(">=", 0))
		if event[1] == "r" {
			sizes = append(sizes, event[2].(string))
			continue
		}
		output.WriteString(event[2].(string))
	}
	g.Expect(output.String()).To(Equal("hello 笔\x1b[0m\r\n\uFFFD</script>"), "a character is not split, and an invalid byte is replaced")
	g.Expect(sizes).To(Equal([]string{"120x40"}))

	entry, err := os.ReadFile(filepath.Join(s.dir, digest+".json"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(bytes.Count(entry, []byte("\n"))).To(Equal(1), "an entry is one line")
	var found Entry
	g.Expect(json.Unmarshal(entry, &found)).To(Succeed())
	g.Expect(found.About).To(Equal(jane))
	g.Expect(found).To(And(HaveField("Recording", digest), HaveField("Outcome", "Ended"), HaveField("Bytes", int64(len(content)))))
	g.Expect(found.StartedAt).To(BeTemporally("~", time.Now(), time.Minute))
	g.Expect(s.namesIn(t, partSuffix)).To(BeEmpty())
}

func TestRecordingsAreBounded(t *testing.T) {
	g := NewWithT(t)
	s := openStore(t, Limits{Bytes: MaxBytes + 2000, Age: time.Hour})
	var digests []string
	for i := range 12 {
		r, err := s.Begin(jane, 80, 24)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(r.WriteOutput(bytes.Repeat([]byte{'a' + byte(i)}, 200))).To(Succeed())
		digest, err := r.End("Ended")
		g.Expect(err).NotTo(HaveOccurred())
		at := time.Now().Add(time.Duration(i-100) * time.Second)
		g.Expect(os.Chtimes(filepath.Join(s.dir, digest+castSuffix), at, at)).To(Succeed())
		digests = append(digests, digest)
	}
	kept := s.namesIn(t, castSuffix)
	g.Expect(len(kept)).To(And(BeNumerically(">", 1), BeNumerically("<", 8)))
	g.Expect(kept).To(ContainElement(digests[11]+castSuffix), "the newest is kept")
	g.Expect(kept).NotTo(ContainElement(digests[0] + castSuffix))
	g.Expect(s.namesIn(t, entrySuffix)).To(HaveLen(len(kept)), "an entry is removed with its recording")

	r, err := s.Begin(jane, 80, 24)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = s.Begin(jane, 80, 24)
	g.Expect(err).To(MatchError(ContainSubstring("allowed size")), "a second recording has no room while the first is written")
	large := bytes.Repeat([]byte("x"), 1<<20)
	for range 15 {
		g.Expect(r.WriteOutput(large)).To(Succeed())
	}
	g.Expect(r.WriteOutput(large)).To(MatchError(ErrTooLarge))
	_, err = r.End("TooLarge")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.applyLimits(time.Now())).To(Succeed())
	g.Expect(s.namesIn(t, castSuffix)).NotTo(BeEmpty())
	g.Expect(s.applyLimits(time.Now().Add(2 * time.Hour))).To(Succeed())
	g.Expect(s.namesIn(t, "")).To(BeEmpty(), "recordings that are too old are removed")
}

func TestSessionThatCannotBeRecorded(t *testing.T) {
	g := NewWithT(t)
	limits := Limits{Bytes: 1 << 30, Age: time.Hour}
	_, err := Open(filepath.Join(t.TempDir(), "missing"), limits, logr.Discard())
	g.Expect(err).To(MatchError(os.ErrNotExist))
	_, err = Open(t.TempDir(), Limits{Bytes: 1000}, logr.Discard())
	g.Expect(err).To(MatchError(ContainSubstring("at least")))
	s := openStore(t, limits)
	r, err := s.Begin(jane, 80, 24)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.RemoveAll(s.dir)).To(Succeed())
	_, err = s.Begin(jane, 80, 24)
	g.Expect(err).To(MatchError(os.ErrNotExist))
	_, err = r.End("Ended")
	g.Expect(err).To(HaveOccurred(), "a recording that cannot be kept is no success")
}

// TestAbandonedRecordingIsCompleted leaves a recording as a process that is killed does.
func TestAbandonedRecordingIsCompleted(t *testing.T) {
	g := NewWithT(t)
	s := openStore(t, Limits{Bytes: 1 << 30, Age: time.Hour})
	r, err := s.Begin(jane, 80, 24)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.WriteOutput([]byte("secret work"))).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(s.dir, "damaged"+partSuffix), []byte("{"), fileMode)).To(Succeed())
	g.Expect(s.applyLimits(time.Now())).To(Succeed())
	g.Expect(s.namesIn(t, partSuffix)).To(HaveLen(2), "other processes may write them")
	later := time.Now().Add(abandonedAge + time.Second)
	g.Expect(r.Touch(later)).To(Succeed())
	g.Expect(s.applyLimits(later)).To(Succeed())
	g.Expect(s.namesIn(t, partSuffix)).To(HaveLen(1), "a recording that is touched is not abandoned")
	g.Expect(s.applyLimits(later.Add(abandonedAge + time.Second))).To(Succeed())
	g.Expect(s.namesIn(t, partSuffix)).To(BeEmpty())
	names := s.namesIn(t, entrySuffix)
	g.Expect(names).To(HaveLen(1))
	content, err := os.ReadFile(filepath.Join(s.dir, strings.TrimSuffix(names[0], entrySuffix)+castSuffix))
	g.Expect(err).NotTo(HaveOccurred())
	sum := sha256.Sum256(content)
	g.Expect(hex.EncodeToString(sum[:]) + entrySuffix).To(Equal(names[0]))
	entry, err := os.ReadFile(filepath.Join(s.dir, names[0]))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(entry)).To(And(ContainSubstring(`"user":"jane"`), ContainSubstring(`"outcome":"Interrupted"`)))
}
