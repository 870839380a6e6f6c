package integration_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/uploads"
)

var _ = Describe("An interrupted upload of a chart", func() {
	It("is resumed although the operator was killed in the middle", Serial, func(ctx SpecContext) {
		t := newTenant(ctx)
		addUploadSource(ctx, t, v1alpha1.UploadSource{})
		content := siteChart("1.0.0").Archive()
		file, total, half := "site-1.0.0.tgz?digest="+chart.Digest(content), len(content), len(content)/2
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(suite.URL, "http://"))
		Expect(err).NotTo(HaveOccurred())
		defer func() { _ = conn.Close() }()
		_, err = fmt.Fprintf(conn, "PUT /upload/%s/charts/%s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
			t.Namespace, file, t.Token(ctx), total, content[:half])
		Expect(err).NotTo(HaveOccurred())
		partial := filepath.Join(operator.Store, "uploads", "incoming", t.Namespace, "charts", "partial-"+uploads.SessionIDFor(chart.Digest(content)))
		Eventually(func() int64 {
			info, err := os.Stat(partial)
			if err != nil {
				return -1
			}
			return info.Size()
		}).WithContext(ctx).Should(BeEquivalentTo(half))
		operator.Kill()
		operator.Start()

		put := func(g Gomega, part []byte, contentRange string) *http.Response {
			request, err := http.NewRequestWithContext(ctx, http.MethodPut, suite.URL+"/upload/"+t.Namespace+"/charts/"+file, strings.NewReader(string(part)))
			g.Expect(err).NotTo(HaveOccurred())
			request.Header.Set("Authorization", "Bearer "+t.Token(ctx))
			request.Header.Set("Content-Range", contentRange)
			response, err := http.DefaultTransport.RoundTrip(request)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(response.Body.Close()).To(Succeed())
			return response
		}
		Eventually(func(g Gomega) string {
			return put(g, nil, fmt.Sprintf("bytes */%d", total)).Header.Get("Range")
		}).WithContext(ctx).Should(Equal(fmt.Sprintf("bytes=0-%d", half-1)), "what was received is kept")
		rest := put(Default, content[half:], fmt.Sprintf("bytes %d-%d/%d", half, total-1, total))
		Expect(rest.StatusCode).To(Equal(http.StatusCreated))
		t.Succeed(ctx, v1alpha1.ActionInstall, "site")
	})
})
