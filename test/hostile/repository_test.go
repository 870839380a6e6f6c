package hostile_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/fixture"
)

// maxIdle limits the idle connections that a client opens, in addition to its limit of open files
// and the number of ports.
const maxIdle = 100_000

var _ = Describe("A client of the repository", func() {
	It("with the maximum number of idle connections does not block other clients", func(ctx SpecContext) {
		var files syscall.Rlimit
		Expect(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files)).To(Succeed())
		// All connections of this host to one address need different ports, which limits their
		// number.
		count := min(maxIdle, int(files.Cur)-1000, 20_000)
		runAttack(ctx, func() string {
			var open []net.Conn
			defer func() {
				for _, each := range open {
					_ = each.Close()
				}
			}()
			address := strings.TrimPrefix(suite.Repository, "http://")
			for range count {
				connection, err := net.Dial("tcp", address)
				if err != nil {
					break
				}
				open = append(open, connection)
			}
			Expect(len(open)).To(BeNumerically(">", count/2))
			status, _ := fixture.Ask(ctx, suite.Repository+"/version")
			Expect(status).To(Equal(http.StatusOK))
			return fmt.Sprintf("%d connections, and /version responds", len(open))
		})
	})

	It("with 2,000 invalid tokens is rejected", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, newChart(nil))
		page := fmt.Sprintf("%s/%s/charts/index.yaml", suite.Repository, t.Namespace)
		runAttack(ctx, func() string {
			responses := map[int]int{}
			var mu sync.Mutex
			var clients sync.WaitGroup
			for client := range 20 {
				clients.Go(func() {
					defer GinkgoRecover()
					for i := range 100 {
						status, _ := fixture.Ask(ctx, page, "Authorization", fmt.Sprintf("Bearer none.%d.%d", client, i))
						mu.Lock()
						responses[status]++
						mu.Unlock()
					}
				})
			}
			clients.Wait()
			Expect(responses).NotTo(HaveKey(http.StatusOK))
			return fmt.Sprintf("responses: %v", responses)
		})
	})
})
