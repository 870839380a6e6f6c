package uploads_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/uploads"
)

func TestSessionResumesAfterAnInterruption(t *testing.T) {
	g := NewWithT(t)
	store := openStore(t, t.TempDir(), uploads.Options{})
	content := bytes.Repeat([]byte("0123456789"), 1000)
	id := uploads.SessionIDFor(chart.Digest(content))
	first, err := store.StartSession(t.Context(), team, id, func() {})
	g.Expect(err).NotTo(HaveOccurred())
	err = first.Receive(io.MultiReader(bytes.NewReader(content[:4000]), iotest.ErrReader(errors.New("the connection is cut"))))
	g.Expect(uploads.IsReadError(err)).To(BeTrue(), "%v", err)
	g.Expect(first.Close()).To(Succeed())

	second, err := store.ResumeSession(t.Context(), team, id, func() {})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(second.Offset()).To(BeEquivalentTo(4000))
	g.Expect(second.Receive(bytes.NewReader(content[4000:]))).To(Succeed())
	g.Expect(second.Complete(chart.Digest(content))).To(HaveField("Size", BeEquivalentTo(len(content))))
	g.Expect(second.Close()).To(Succeed())
	g.Expect(store.Archive(team, chart.Digest(content))).To(Equal(content))
	_, err = store.ResumeSession(t.Context(), team, id, func() {})
	g.Expect(err).To(MatchError(fs.ErrNotExist), "a completed session")
}

func TestSessionIsTakenOver(t *testing.T) {
	g := NewWithT(t)
	store := openStore(t, t.TempDir(), uploads.Options{})
	reader, writer := io.Pipe()
	id := uploads.NewSessionID()
	first, err := store.StartSession(t.Context(), team, id, func() { _ = writer.CloseWithError(errors.New("aborted")) })
	g.Expect(err).NotTo(HaveOccurred())
	ended := make(chan error, 1)
	go func() {
		ended <- first.Receive(reader)
		_ = first.Close()
	}()
	_, err = writer.Write([]byte("abc"))
	g.Expect(err).NotTo(HaveOccurred())
	second, err := store.StartSession(t.Context(), team, id, func() {})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(uploads.IsReadError(<-ended)).To(BeTrue())
	g.Expect(second.Offset()).To(BeEquivalentTo(3))
	g.Expect(second.Close()).To(Succeed())
}

func TestContentIsLimited(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	store := openStore(t, dir, uploads.Options{})
	session, err := store.StartSession(t.Context(), team, uploads.NewSessionID(), func() {})
	g.Expect(err).NotTo(HaveOccurred())
	endless := iotest.OneByteReader(bytes.NewReader(nil))
	g.Expect(session.Receive(endless)).To(Succeed())
	err = session.Receive(bytes.NewReader(make([]byte, chart.MaxArchiveBytes+1)))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonLimitExceeded))
	g.Expect(session.Offset()).To(BeZero(), "nothing is kept")
	g.Expect(session.Receive(bytes.NewReader([]byte("abc")))).To(Succeed())
	_, err = session.Complete(chart.Digest([]byte("abd")))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonDigestMismatch))
	g.Expect(session.Close()).To(Succeed())
	g.Expect(readFiles(t, dir)).To(BeEmpty(), "content with another digest is removed")
}

func TestUnfinishedUploadsAreLimited(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	store := openStore(t, dir, uploads.Options{})
	var open []*uploads.Session
	for i := range 40 {
		session, err := store.StartSession(t.Context(), team, uploads.NewSessionID(), func() {})
		if i >= 32 {
			g.Expect(err).To(MatchError(uploads.ErrTooManyUploads))
			continue
		}
		g.Expect(err).NotTo(HaveOccurred())
		open = append(open, session)
	}
	g.Expect(open[3].Close()).To(Succeed())
	_, err := store.StartSession(t.Context(), team, uploads.NewSessionID(), func() {})
	g.Expect(err).NotTo(HaveOccurred(), "the idle upload is removed")
	g.Expect(readFiles(t, dir)).To(HaveLen(32))
	for _, id := range []string{"", "..", "../../charts/market/team/records", "short"} {
		_, err := store.StartSession(t.Context(), team, id, func() {})
		g.Expect(err).To(MatchError(fs.ErrNotExist), id)
	}
}

func TestSweep(t *testing.T) {
	g := NewWithT(t)
	dir, now := t.TempDir(), &clock{now: time.Now()}
	store := openStore(t, dir, uploads.Options{Now: now.Now})
	_, _, err := upload(store, team, uploads.Limits{}, newArchive(t, "web", "1.0.0", ""))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = receive(store, team, []byte("content that no chart has"))
	g.Expect(err).NotTo(HaveOccurred())
	orphan := filepath.Join(dir, "charts/market/team/blobs", chart.Digest([]byte("orphan"))[7:])
	g.Expect(writeFile(orphan, "orphan")).To(Succeed())
	state := uploads.SourceExists
	sweep := func() {
		t.Helper()
		g.Expect(store.Sweep(t.Context(), stateFunc(&state))).To(Succeed())
	}
	sweep()
	g.Expect(readFiles(t, dir)).To(HaveLen(6), "young files are kept")
	now.now = now.now.Add(2 * time.Hour)
	sweep()
	g.Expect(readFiles(t, dir)).To(HaveLen(4), "the record and its content")
	g.Expect(names(t, store, team)).To(HaveLen(1))

	state = uploads.SourceDeleted
	sweep()
	g.Expect(names(t, store, team)).To(HaveLen(1), "a source that was just deleted")
	state = uploads.SourceExists
	sweep()
	now.now, state = now.now.Add(48*time.Hour), uploads.SourceDeleted
	sweep()
	g.Expect(names(t, store, team)).To(HaveLen(1), "a source that existed in the meantime")
	now.now = now.now.Add(48 * time.Hour)
	sweep()
	g.Expect(readFiles(t, dir)).To(BeEmpty(), "a source that was deleted long ago")

	_, _, err = upload(store, team, uploads.Limits{}, newArchive(t, "web", "1.0.0", ""))
	g.Expect(err).NotTo(HaveOccurred())
	state = uploads.NamespaceDeleted
	sweep()
	g.Expect(readFiles(t, dir)).To(BeEmpty(), "a namespace that was deleted")
}
