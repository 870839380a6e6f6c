package app

import (
	"net/http"
	"net/http/httptest"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/bucket"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/test/testbucket"
)

func TestStoreFlags(t *testing.T) {
	const endpoint = "--store-bucket-endpoint=https://s3.example.com"
	for why, c := range map[string]struct {
		args  []string
		valid bool
	}{
		"a volume":                {nil, true},
		"a bucket":                {[]string{"--store-bucket=charts", endpoint, "--store-bucket-addressing=Path"}, true},
		"no endpoint":             {[]string{"--store-bucket=charts"}, false},
		"no bucket":               {[]string{endpoint}, false},
		"password in endpoint":    {[]string{"--store-bucket=charts", "--store-bucket-endpoint=https://a:" + testbucket.SecretKey + "@s3.example.com"}, false},
		"prefix outside":          {[]string{"--store-bucket=charts", endpoint, "--store-bucket-prefix=../other"}, false},
		"unknown addressing":      {[]string{"--store-bucket=charts", endpoint, "--store-bucket-addressing=Host"}, false},
		"lists without any pause": {[]string{"--store-bucket=charts", endpoint, "--store-bucket-refresh-interval=1ms"}, false},
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			_, err := parseFlags(c.args)
			if c.valid {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(MatchError(ContainSubstring("store-bucket")))
			g.Expect(err.Error()).NotTo(ContainSubstring(testbucket.SecretKey))
		})
	}
}

// TestOnlyTheLeaderChangesABucket opens a bucket with a damaged record before and after the election.
func TestOnlyTheLeaderChangesABucket(t *testing.T) {
	g := NewWithT(t)
	server := testbucket.Start(t, t.TempDir())
	options := storeOptions{bucket: bucket.Config{Name: testbucket.Name, Endpoint: server.URL, CredentialsDir: testbucket.WriteKeys(t)}}
	files, err := bucket.New(options.bucket)
	g.Expect(err).NotTo(HaveOccurred())
	const record = "records/market/main/web/1.0.0.json"
	g.Expect(files.Write(record, []byte("{}"))).To(Succeed())

	elected := make(chan struct{})
	damaged := 0
	store, err := options.openStore(chartrepo.Options{OnDamaged: func(chartrepo.DamagedRecord) { damaged++ }}, elected)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(damaged).To(Equal(1))
	_, err = files.Stat(record)
	g.Expect(err).NotTo(HaveOccurred(), "the record is left to the leader")
	close(elected)
	_, err = store.Scrub(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(damaged).To(Equal(2))
	_, err = files.Stat(record)
	g.Expect(err).To(HaveOccurred())
	g.Expect(store.Close()).To(Succeed())
}

func TestUploadsAreRefused(t *testing.T) {
	g := NewWithT(t)
	store, err := chartrepo.Open(t.TempDir(), chartrepo.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	handler := (&components{}).withUploads(nil, nil, chartrepo.Handler(store, chartrepo.HandlerOptions{}))
	for _, path := range []string{"/upload/market/main/web-1.0.0.tgz", "/v2/market/main/web/blobs/uploads/"} {
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, httptest.NewRequest(http.MethodPut, path, nil))
		g.Expect(response.Code).To(Equal(http.StatusMethodNotAllowed), path)
	}
	g.Expect(store.Close()).To(Succeed())
}
