package story_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// publishedArchives downloads every published version in a namespace, checks its digest, and returns
// the digests by URL.
func publishedArchives(ctx context.Context, ns string) map[string]string {
	GinkgoHelper()
	found := map[string]string{}
	for _, app := range listApps(ctx, ns) {
		for _, v := range app.Status.Versions {
			digest, err := fetchDigest(ctx, v.URL)
			Expect(err).NotTo(HaveOccurred())
			Expect(digest).To(Equal(v.Digest), v.URL)
			found[v.URL] = digest
		}
	}
	return found
}

// fetchDigest returns the digest of the content at a URL.
func fetchDigest(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", url, answer.Status)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, answer.Body); err != nil {
		return "", err
	}
	return fmt.Sprintf("sha256:%x", sum.Sum(nil)), nil
}
