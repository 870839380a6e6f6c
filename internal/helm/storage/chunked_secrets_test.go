package storage_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/internal/helm/helmtest"
	plain "github.com/appmarket/operator/internal/release"
)

// recordState describes the Secrets of records in a namespace.
type recordState struct {
	small, large []string
	chunks       int
}

// recordStates reads the recordState, and fails if a chunk is unused or a record is incomplete.
func recordStates(t testing.TB, namespace string) recordState {
	t.Helper()
	g := NewWithT(t)
	list, err := helmtest.Server.Admin.CoreV1().Secrets(namespace).List(context.Background(), metav1.ListOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	var state recordState
	chunks, listed := map[string]bool{}, map[string]bool{}
	for _, one := range list.Items {
		g.Expect(one.Type).To(BeEquivalentTo("helm.sh/release.v1"))
		switch {
		case one.Labels["owner"] == "helm":
			state.small = append(state.small, one.Name)
		case one.Data["chunk"] != nil:
			chunks[one.Name] = true
		default:
			g.Expect(one.Labels).To(HaveKeyWithValue("owner", "appmarket"))
			state.large = append(state.large, one.Name)
			for name := range strings.SplitSeq(string(one.Data["chunks"]), "\n") {
				listed[name] = true
			}
		}
	}
	g.Expect(chunks).To(Equal(listed), "no chunk is missing, and none is left over")
	state.chunks = len(chunks)
	return state
}

func TestLargeReleaseLives(t *testing.T) {
	for _, one := range []struct {
		why    string
		size   int
		chunks int
	}{
		{why: "a record of a few chunks", size: helmtest.SmallRandomSize, chunks: 3},
		{why: "a record of many chunks", size: 8 << 10, chunks: 8},
	} {
		t.Run(one.why, func(t *testing.T) {
			c, namespace := helmtest.NewLargeClient(t)
			g := NewWithT(t)
			ctx := t.Context()
			r, err := c.Install(ctx, helmtest.NewLargeSpec("blog", one.size, "one"))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect([]any{r.Revision, r.Status}).To(Equal([]any{1, "deployed"}))
			g.Expect(r.Labels).To(HaveKeyWithValue("appmarket.io/instance", "blog"))
			g.Expect(recordStates(t, namespace)).To(Equal(recordState{
				large: []string{"sh.helm.release.v1.blog.v1"}, chunks: one.chunks,
			}))

			_, err = c.Upgrade(ctx, helmtest.NewLargeSpec("blog", one.size, "two"))
			g.Expect(err).NotTo(HaveOccurred())
			r, err = c.Rollback(ctx, helmtest.NewRollback(1))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect([]any{r.Revision, r.Status}).To(Equal([]any{3, "deployed"}))
			cm, err := helmtest.GetConfigMap(t, namespace, "blog")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(cm.Data).To(HaveKeyWithValue("v", "one"))
			g.Expect(recordStates(t, namespace).chunks).To(Equal(3 * one.chunks))

			last := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap})
			last.MaxHistory = 2
			_, err = c.Upgrade(ctx, last)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(recordStates(t, namespace)).To(Equal(recordState{
				small: []string{"sh.helm.release.v1.blog.v4"}, large: []string{"sh.helm.release.v1.blog.v3"}, chunks: one.chunks,
			}), "history is bounded, and a record that fits is as Helm makes it")
			g.Expect(c.Uninstall(ctx, plain.Removal{Name: "blog", Timeout: time.Minute})).To(Succeed())
			g.Expect(helmtest.RecordsLeft(t, namespace)).To(BeEmpty())
		})
	}
}

// step is an operation on a large release, after which its value is "two" or the release is gone.
type step struct {
	before  func(ctx context.Context, c *helmtest.ChartClient, name string) error
	do      func(ctx context.Context, c *helmtest.ChartClient, name string, resumed bool) error
	removes bool
}

// interruptedSteps returns the operations that are interrupted.
func interruptedSteps() map[string]step {
	const size = 3000
	install := func(v string) func(context.Context, *helmtest.ChartClient, string) error {
		return func(ctx context.Context, c *helmtest.ChartClient, name string) error {
			_, err := c.Install(ctx, helmtest.NewLargeSpec(name, size, v))
			return err
		}
	}
	apply := func(ctx context.Context, c *helmtest.ChartClient, name string, resumed bool) error {
		s := helmtest.NewLargeSpec(name, size, "two")
		s.Resumed = resumed
		r, err := c.Get(ctx, name)
		switch {
		case err != nil:
		case r == nil:
			_, err = c.Install(ctx, s)
		default:
			_, err = c.Upgrade(ctx, s)
		}
		return err
	}
	return map[string]step{
		"an installation": {before: func(context.Context, *helmtest.ChartClient, string) error { return nil }, do: apply},
		"an upgrade":      {before: install("one"), do: apply},
		"a rollback": {
			before: func(ctx context.Context, c *helmtest.ChartClient, name string) error {
				if err := install("two")(ctx, c, name); err != nil {
					return err
				}
				small := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap})
				small.Name = name
				_, err := c.Upgrade(ctx, small)
				return err
			},
			do: func(ctx context.Context, c *helmtest.ChartClient, name string, resumed bool) error {
				_, err := c.Rollback(ctx, plain.Rollback{Name: name, Revision: 1, Resumed: resumed})
				return err
			},
		},
		"a removal": {before: install("two"), removes: true, do: func(ctx context.Context, c *helmtest.ChartClient, name string, _ bool) error {
			return c.Uninstall(ctx, plain.Removal{Name: name, Timeout: time.Minute})
		}},
	}
}

// repeatAndCheck repeats an interrupted step, and checks the result.
func (s step) repeatAndCheck(t testing.TB, c *helmtest.ChartClient, namespace, name string) {
	t.Helper()
	g := NewWithT(t)
	ctx := t.Context()
	g.Expect(c.Unlock(ctx, name)).To(Succeed(), name)
	g.Expect(s.do(ctx, c, name, true)).To(Succeed(), name)
	recordStates(t, namespace)
	if !s.removes {
		r, err := c.Get(ctx, name)
		g.Expect(err).NotTo(HaveOccurred(), name)
		g.Expect(r.Status).To(Equal("deployed"), name)
		cm, err := helmtest.GetConfigMap(t, namespace, name)
		g.Expect(err).NotTo(HaveOccurred(), name)
		g.Expect(cm.Data).To(HaveKeyWithValue("v", "two"), name)
	}
	g.Expect(c.Uninstall(ctx, plain.Removal{Name: name, Timeout: time.Minute})).To(Succeed(), name)
	g.Expect(helmtest.RecordsLeft(t, namespace)).To(BeEmpty(), name)
}

func TestLargeReleaseKilledAnywhere(t *testing.T) {
	for why, step := range interruptedSteps() {
		t.Run(why, func(t *testing.T) {
			_, namespace := helmtest.NewClient(t)
			c := helmtest.NewInterceptedClient(t, namespace, helmtest.PassThrough, helmtest.SmallChunks)
			helmtest.KillAtEachWrite(t, namespace, func(run int, m *helmtest.KillableClient) error {
				g := NewWithT(t)
				name := fmt.Sprintf("blog-%d", run)
				g.Expect(step.before(t.Context(), c, name)).To(Succeed())
				killed := step.do(m.Ctx, m.ChartClient, name, false)
				g.Expect(killed == nil || errors.Is(killed, context.Canceled)).To(BeTrue(), "%v", killed)
				step.repeatAndCheck(t, c, namespace, name)
				return killed
			}, helmtest.SmallChunks)
		})
	}
}

// TestLargeReleaseSurvivesLostAnswers loses the response to each write of an operation in turn, so
// that the operation does not know whether the write succeeded.
func TestLargeReleaseSurvivesLostAnswers(t *testing.T) {
	for why, step := range interruptedSteps() {
		t.Run(why, func(t *testing.T) {
			_, namespace := helmtest.NewClient(t)
			c := helmtest.NewInterceptedClient(t, namespace, helmtest.PassThrough, helmtest.SmallChunks)
			for write := 1; ; write++ {
				g := NewWithT(t)
				name := fmt.Sprintf("blog-%d", write)
				g.Expect(step.before(t.Context(), c, name)).To(Succeed())
				lossy, lost := helmtest.NewLossyClient(t, namespace, write, helmtest.SmallChunks)
				err := step.do(t.Context(), lossy, name, false)
				step.repeatAndCheck(t, c, namespace, name)
				if !lost() {
					g.Expect(err).NotTo(HaveOccurred())
					g.Expect(write).To(BeNumerically(">", 4))
					return
				}
			}
		})
	}
}

// TestRemovalCleansUpAfterKills removes a release whose installation was killed before its record
// was written, and was not repeated.
func TestRemovalCleansUpAfterKills(t *testing.T) {
	c, namespace := helmtest.NewLargeClient(t)
	g := NewWithT(t)
	m := helmtest.NewKillableClient(t, namespace, 2, helmtest.SmallChunks)
	_, err := m.Install(m.Ctx, helmtest.NewLargeSpec("blog", helmtest.SmallRandomSize, "one"))
	g.Expect(err).To(MatchError(context.Canceled))
	g.Expect(helmtest.RecordsLeft(t, namespace)).To(HaveLen(2), "chunks, and no record")
	g.Expect(c.Get(t.Context(), "blog")).To(BeNil())
	g.Expect(c.Uninstall(t.Context(), plain.Removal{Name: "blog", Timeout: time.Minute})).To(Succeed())
	g.Expect(helmtest.RecordsLeft(t, namespace)).To(BeEmpty())
}

func TestSpoiledRecordIsAnError(t *testing.T) {
	for _, one := range []struct {
		why   string
		spoil func(head, chunk *corev1.Secret)
	}{
		{why: "a chunk is gone", spoil: func(_, chunk *corev1.Secret) { chunk.Name = "" }},
		{why: "a chunk is left out", spoil: func(head, chunk *corev1.Secret) { head.Data["chunks"] = []byte(chunk.Name) }},
		{why: "something else is taken for a chunk", spoil: func(head, _ *corev1.Secret) { head.Data["chunks"] = []byte("token") }},
		{why: "there are too many", spoil: func(head, chunk *corev1.Secret) {
			head.Data["chunks"] = []byte(strings.Repeat(chunk.Name+"\n", 5000))
		}},
	} {
		t.Run(one.why, func(t *testing.T) {
			c, namespace := helmtest.NewLargeClient(t)
			g := NewWithT(t)
			ctx := t.Context()
			_, err := c.Install(ctx, helmtest.NewLargeSpec("blog", helmtest.SmallRandomSize, "one"))
			g.Expect(err).NotTo(HaveOccurred())
			secrets := helmtest.Server.Admin.CoreV1().Secrets(namespace)
			head, err := secrets.Get(ctx, "sh.helm.release.v1.blog.v1", metav1.GetOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			name, _, _ := strings.Cut(string(head.Data["chunks"]), "\n")
			chunk := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}}
			one.spoil(head, chunk)
			if chunk.Name == "" {
				g.Expect(secrets.Delete(ctx, name, metav1.DeleteOptions{})).To(Succeed())
			}
			_, err = secrets.Update(ctx, head, metav1.UpdateOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			_, err = c.Get(ctx, "blog")
			g.Expect(err).To(MatchError(ContainSubstring("read record sh.helm.release.v1.blog.v1: ")))
			g.Expect(c.Uninstall(ctx, plain.Removal{Name: "blog", Timeout: time.Minute})).NotTo(Succeed(), "it is not taken for gone")
		})
	}
}

// TestRecordsUnpackToABound reads a Secret that a tenant could write in place of a record.
func TestRecordsUnpackToABound(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := helmtest.Server.Admin.CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:   "sh.helm.release.v1.blog.v1",
			Labels: map[string]string{"owner": "helm", "name": "blog", "status": "deployed", "version": "1"},
		},
		Type: "helm.sh/release.v1",
		Data: map[string][]byte{"release": oversizedRecord(t)},
	}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = c.Get(t.Context(), "blog")
	g.Expect(err).To(MatchError(ContainSubstring("unpacked size exceeds 160 MiB")))
}

func TestHostileRecordIsAnError(t *testing.T) {
	for _, one := range []struct{ why, record, want string }{
		{why: "much of little", record: `{"info":{},"hooks":[` + strings.Repeat("{},", 600_000) + `{}]}`, want: "more than 1000000 values"},
		{why: "no info", record: `{"name":"blog","version":1}`, want: `revision 1 of release "blog": info is missing`},
		{why: "nothing", record: `null`, want: "info is missing"},
		{why: "a hook that is none", record: `{"info":{},"hooks":[null]}`, want: "a hook is empty"},
	} {
		t.Run(one.why, func(t *testing.T) {
			c, namespace := helmtest.NewClient(t)
			g := NewWithT(t)
			writeRecord(t, namespace, 1, packRecord(t, one.record))
			_, err := c.Get(t.Context(), "blog")
			g.Expect(err).To(MatchError(ContainSubstring(one.want)))
			g.Expect(c.Uninstall(t.Context(), plain.Removal{Name: "blog", Timeout: time.Minute})).NotTo(Succeed())
		})
	}
}

func TestRecordsAreBoundedTogether(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	text := strings.Repeat("{}[],", 100)
	for revision := range 3 {
		writeRecord(t, namespace, revision+1, packRecord(t, `{"version":`+strconv.Itoa(revision+1)+`,"info":{"status":"superseded","notes":"`+text+`"},`+
			`"config":{"a":[`+strings.Repeat("0,", 800_000)+`0]}}`))
		_, err := c.Get(t.Context(), "blog")
		if revision < 2 {
			g.Expect(err).NotTo(HaveOccurred())
		} else {
			g.Expect(err).To(MatchError(ContainSubstring("and earlier records: more than 2000000 values")))
		}
	}
}

func writeRecord(t testing.TB, namespace string, revision int, record []byte) {
	t.Helper()
	version := strconv.Itoa(revision)
	_, err := helmtest.Server.Admin.CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:   "sh.helm.release.v1.blog.v" + version,
			Labels: map[string]string{"owner": "helm", "name": "blog", "status": "deployed", "version": version},
		},
		Type: "helm.sh/release.v1",
		Data: map[string][]byte{"release": record},
	}, metav1.CreateOptions{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
}

// packRecord returns a record in the encoding of Helm.
func packRecord(t testing.TB, record string) []byte {
	t.Helper()
	g := NewWithT(t)
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	_, err := zip.Write([]byte(record))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(zip.Close()).To(Succeed())
	return []byte(base64.StdEncoding.EncodeToString(out.Bytes()))
}

// oversizedRecord returns a record of about 300 kB that unpacks to 200 MiB.
func oversizedRecord(t testing.TB) []byte {
	t.Helper()
	g := NewWithT(t)
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	g.Expect(err).NotTo(HaveOccurred())
	nothing := make([]byte, 1<<20)
	for range 200 {
		_, err = zip.Write(nothing)
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(zip.Close()).To(Succeed())
	return []byte(base64.StdEncoding.EncodeToString(packed.Bytes()))
}
