package source_test

import (
	"context"
	"fmt"
	"io/fs"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source"
)

var uploadOwner = hydrate.Owner{Namespace: "market", Source: "team"}

// uploadVolume is a volume with the archives of one source, nil if the folder does not exist.
type uploadVolume struct{ archives map[string][]byte }

func (v *uploadVolume) ListUploads(hydrate.Owner) ([]source.UploadedChart, error) {
	if v.archives == nil {
		return nil, fs.ErrNotExist
	}
	var charts []source.UploadedChart
	for version, archive := range v.archives {
		charts = append(charts, source.UploadedChart{
			App: "web", Version: version, File: "web-" + version + ".tgz", Digest: chart.Digest(archive), Created: time.Unix(1, 0),
		})
	}
	return charts, nil
}

func (v *uploadVolume) AddSource(hydrate.Owner) error {
	v.archives = map[string][]byte{}
	return nil
}

func (v *uploadVolume) Archive(_ hydrate.Owner, digest string) ([]byte, error) {
	for _, archive := range v.archives {
		if chart.Digest(archive) == digest {
			return archive, nil
		}
	}
	return nil, fmt.Errorf("read: %w", fs.ErrNotExist)
}

func TestUploadedChartsAreOfferedAndFetched(t *testing.T) {
	g, volume := NewWithT(t), &uploadVolume{}
	open := func(hasOffered bool) source.Source {
		s, err := source.Open(source.Config{Upload: &source.UploadConfig{Owner: uploadOwner, Store: volume, HasOffered: hasOffered}})
		g.Expect(err).NotTo(HaveOccurred())
		return s
	}
	listing, err := open(false).List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred(), "a new source")
	g.Expect(listing.Apps).To(BeEmpty())
	volume.archives["1.0.0"], volume.archives["1.1.0"] = []byte("one"), []byte("two")
	listing, err = open(false).List(t.Context(), hydrate.Cursor{Revision: listing.Revision})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(listing.Apps).To(ConsistOf(And(HaveField("Name", "web"), HaveField("Offers", HaveLen(2)))))
	newest := listing.Apps[0].Offers[0]
	g.Expect(newest.Version).To(Equal("1.1.0"))
	content, err := open(true).Fetch(t.Context(), newest)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(content.Archive).To(BeEquivalentTo("two"))
	again, err := open(true).List(t.Context(), hydrate.Cursor{Revision: listing.Revision})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again.NotModified).To(BeTrue())

	volume.archives = nil
	_, err = open(true).List(t.Context(), hydrate.Cursor{})
	g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonNotFound), "the volume is another one")
	_, err = open(true).Fetch(context.Background(), newest)
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonNotFound))
	g.Expect(err).To(MatchError(ContainSubstring("upload the chart again")))
}
