package command_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/appmarket/operator/plugin/command"
)

// sharedBuffer can be read while a command writes to it.
type sharedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *sharedBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(text)
}

func (b *sharedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func TestUI(t *testing.T) {
	g := NewWithT(t)
	p := newPlugin(t)
	p.newMarket()
	t.Setenv("KUBECONFIG", p.kubeconfig)
	out := &sharedBuffer{}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	code := make(chan int, 1)
	go func() {
		f := command.NewFactory(genericiooptions.IOStreams{In: strings.NewReader(""), Out: out, ErrOut: io.Discard}, "kubectl market", "1.2.3")
		code <- f.Run(ctx, []string{"ui"})
	}()
	link := regexp.MustCompile(`^pages {2}(http://127\.0\.0\.1:\d+/link\?code=\S+)\n$`)
	g.Eventually(out.String).WithTimeout(30 * time.Second).Should(MatchRegexp(link.String()))
	answer, err := http.Get(link.FindStringSubmatch(out.String())[1])
	g.Expect(err).NotTo(HaveOccurred())
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(answer.StatusCode).To(Equal(http.StatusOK))
	g.Expect(string(page)).To(ContainSubstring("Continue"))
	http.DefaultClient.CloseIdleConnections()
	interrupt()
	g.Eventually(code).WithTimeout(30 * time.Second).Should(Receive(BeZero()))

	p.kubeconfig = writeKubeconfig(t, p.env.Config, "joe")
	expectGolden(t, "ui-forbidden", p.run("ui"))
}
