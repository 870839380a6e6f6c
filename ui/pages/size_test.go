package pages

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/ui/images"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/locale"
)

const (
	// manyApps is the number of apps of a large market.
	manyApps = 10000
	// maxPageBytes and maxCompressedBytes bound the page of the list of apps.
	maxPageBytes, maxCompressedBytes = 150 << 10, 9 << 10
	// maxListTime bounds the time in which the list of a large market is made. It allows for a slow
	// machine; the log of the test has the time that it took.
	maxListTime = time.Second
)

// TestListOfManyApps makes the page of 10,000 apps, without and with a search and filters.
func TestListOfManyApps(t *testing.T) {
	g := NewWithT(t)
	rows := make([]*kube.AppRow, 0, manyApps)
	for i := range manyApps {
		rows = append(rows, kube.NewAppRow(&v1alpha1.AppInfo{
			ObjectMeta: metav1.ObjectMeta{Namespace: "market", Name: fmt.Sprintf("source%d.app%d", i%5, i)},
			Spec:       v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: fmt.Sprintf("source%d", i%5)}, App: fmt.Sprintf("app%d", i)},
			Status: v1alpha1.AppInfoStatus{SelectedVersion: "1.2.0", Summary: &v1alpha1.AppSummary{
				Title: fmt.Sprintf("App number %d", i*7919%manyApps), Developer: "Samples Ltd",
				Description: "Admin panels, internal tools and dashboards for a team that works together, with a text of a usual length for an app",
				Categories:  []string{fmt.Sprintf("Category %d", i%40)}, Architectures: []string{"amd64", "arm64"}, Icon: fmt.Sprintf("https://icons.example/%d.png", i),
			}},
		}))
	}
	server := &Server{Options: Options{Images: images.New(netguard.Policy{}, "test")}}
	parsed, err := parseTemplates()
	g.Expect(err).NotTo(HaveOccurred())
	for name, query := range map[string]url.Values{
		"all": {}, "search": {"q": {"number 77"}}, "filters": {"category": {"Category 3"}, "arch": {"arm64"}}, "last page": {"page": {"9999"}}, "newest": {"sort": {"newest"}},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			f := filtersOf(query)
			var times []time.Duration
			var page string
			for range 5 {
				begun := time.Now()
				d := newDiscoverView(locale.English, f, rows, installedMap{})
				server.addIcons(d)
				part, err := parsed.render(locale.English, "discover-part", d)
				g.Expect(err).NotTo(HaveOccurred())
				body, err := parsed.render(locale.English, "discover", bodyOf{Data: d, Part: part})
				g.Expect(err).NotTo(HaveOccurred())
				page = string(body)
				times = append(times, time.Since(begun))
			}
			var packed bytes.Buffer
			w := gzip.NewWriter(&packed)
			_, err := w.Write([]byte(page))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(w.Close()).To(Succeed())
			t.Logf("%d apps, %s: %s, %d bytes, %d compressed", manyApps, name, slices.Min(times), len(page), packed.Len())
			g.Expect(slices.Min(times)).To(BeNumerically("<", maxListTime))
			g.Expect(len(page)).To(BeNumerically("<", maxPageBytes))
			g.Expect(packed.Len()).To(BeNumerically("<", maxCompressedBytes))
			g.Expect(page).To(And(ContainSubstring("app-card"), ContainSubstring(`<img src="/img/market/source`)))
		})
	}
}
