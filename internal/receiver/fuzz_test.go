package receiver

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/appmarket/operator/api/v1alpha1"
)

// FuzzWebhook checks any webhook of each provider with a token that the sender does not know. Only one that
// contains the token is authentic.
func FuzzWebhook(f *testing.F) {
	const token = "0123456789abcdef-token"
	f.Add("/hooks/market/web", "sha256=00", []byte("push"))
	f.Add("/hooks/market//web", "", []byte{})
	f.Add("/hooks/../web", "sha256="+strings.Repeat("0", 64), []byte("x"))
	f.Fuzz(func(t *testing.T, path, signature string, body []byte) {
		request := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: path, RawQuery: "token=" + signature}, Header: http.Header{
			"X-Hub-Signature-256": {signature}, "X-Signature": {signature}, "X-Gitlab-Token": {signature}, "Authorization": {signature},
		}}
		if source, ok := parsePath(request); ok {
			for _, name := range []string{source.Namespace, source.Name} {
				if len(validation.IsDNS1123Label(name)) > 0 {
					t.Fatalf("%q is not a name", name)
				}
			}
		}
		for _, kind := range []v1alpha1.ReceiverType{v1alpha1.ReceiverGitHub, v1alpha1.ReceiverGitLab, v1alpha1.ReceiverHarbor, v1alpha1.ReceiverDockerHub, v1alpha1.ReceiverGeneric} {
			if isAuthentic(kind, request, body, []byte(token)) && !strings.Contains(signature, token) && !strings.Contains(signature, "%") {
				t.Fatalf("a webhook of %s with %q is accepted", kind, signature)
			}
		}
	})
}
