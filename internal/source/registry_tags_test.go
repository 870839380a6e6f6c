package source_test

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source"
)

// TestRequestsForManyVersions expects that the requests for an unchanged repository do not depend on the
// number of its versions, and that a tag is checked in the next listing if something shows that it was moved.
func TestRequestsForManyVersions(t *testing.T) {
	g := NewWithT(t)
	r := startRegistry(t)
	versions := []string{"1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"}
	for _, version := range versions {
		r.push(t, "charts/web", version, web(version))
	}
	// Each reconcile opens the source.
	open := func(exclude ...string) source.Source {
		opened, err := source.Open(source.Config{
			OCI:         &source.OCIConfig{URL: "oci://" + r.host + "/charts/web", Insecure: true},
			MaxVersions: 50, Exclude: exclude, Network: netguard.Policy{Loopback: true},
		})
		g.Expect(err).NotTo(HaveOccurred())
		return opened
	}
	listed, err := open().List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	checkedIn := func(opened source.Source, cursor hydrate.Cursor) []string {
		t.Helper()
		r.takeRequests()
		_, err := opened.List(t.Context(), cursor)
		g.Expect(err).NotTo(HaveOccurred())
		var checked []string
		for _, request := range r.takeRequests() {
			if version, ok := strings.CutPrefix(request, "HEAD /v2/charts/web/manifests/"); ok {
				checked = append(checked, version)
			}
		}
		slices.Sort(checked)
		return checked
	}
	unchanged := hydrate.Cursor{Revision: listed.Revision}
	g.Expect(checkedIn(open(), unchanged)).To(Equal([]string{"1.4.0"}))
	g.Expect(checkedIn(open(), hydrate.Cursor{Revision: listed.Revision, Complete: true})).To(Equal(versions))
	g.Expect(checkedIn(open(), hydrate.Cursor{})).To(Equal(versions), "without a listing to compare with")
	g.Expect(checkedIn(open("other"), unchanged)).To(Equal(versions), "for another configuration")

	r.push(t, "charts/web", "1.5.0", web("1.5.0"))
	g.Expect(checkedIn(open(), unchanged)).To(Equal([]string{"1.5.0"}), "a new version")

	var isHidden atomic.Bool
	r.mu.Lock()
	r.before = func(w http.ResponseWriter, request *http.Request) bool {
		if isHidden.Load() && strings.HasSuffix(request.URL.Path, "/tags/list") {
			_, _ = w.Write([]byte(`{"tags":["1.5.0","1.4.0"]}`))
			return true
		}
		if request.URL.Path == "/v2/charts/web/blobs/"+listed.Apps[0].Offers[1].Digest {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		return false
	}
	r.mu.Unlock()
	isHidden.Store(true)
	g.Expect(checkedIn(open(), unchanged)).To(Equal([]string{"1.5.0"}))
	isHidden.Store(false)
	g.Expect(checkedIn(open(), unchanged)).To(Equal([]string{"1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.5.0"}), "tags that were deleted and pushed again")

	_, err = open().Fetch(t.Context(), listed.Apps[0].Offers[1])
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonNotFound))
	g.Expect(checkedIn(open(), unchanged)).To(Equal([]string{"1.3.0", "1.5.0"}), "a tag whose archive was deleted")

	moved := web("1.2.0")
	moved["appVersion"] = "8"
	r.push(t, "charts/web", "1.2.0", moved)
	g.Expect(checkedIn(open(), unchanged)).To(Equal([]string{"1.5.0"}))
	_, err = open().(hydrate.SignatureFetcher).FetchSignatures(t.Context(), listed.Apps[0].Offers[2], v1alpha1.VerificationProviderCosign)
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonDigestMismatch))
	g.Expect(checkedIn(open(), unchanged)).To(Equal([]string{"1.2.0", "1.5.0"}), "a tag with another chart than was listed")
}
