package release

import (
	"context"
	"errors"
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/release"
)

// TestCutOffErrorHasNoWordsOfGo checks the error of an operation that was ended by its context.
func TestCutOffErrorHasNoWordsOfGo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := &operation{ctx: ctx, release: &release.Release{Name: "shop"}}
	for _, c := range []struct{ err, want string }{
		{`context deadline exceeded`, `release "shop": the operation did not end in time`},
		{`context canceled: context canceled`, `release "shop": the operation did not end in time`},
		{`read release "shop": context deadline exceeded`, `release "shop": read release "shop"`},
		{`client rate limiter Wait returned an error: context deadline exceeded`, `release "shop": the operation did not end in time`},
		{`Patch "https://127.0.0.1:6443/api/v1/namespaces/demo/configmaps/a?fieldManager=helm": context deadline exceeded`,
			`release "shop": the API server did not answer PATCH /api/v1/namespaces/demo/configmaps/a in time`},
		{`create: Post "https://api.example/apis/apps/v1/namespaces/demo/deployments": net/http: request canceled (Client.Timeout exceeded while awaiting headers)`,
			`release "shop": the API server did not answer POST /apis/apps/v1/namespaces/demo/deployments in time`},
	} {
		g := NewWithT(t)
		err := o.newContextEndedError(errors.New(c.err))
		g.Expect(err).To(MatchError(c.want))
		g.Expect(err).To(MatchError(context.Canceled), "its cause is known")
		g.Expect(o.newContextEndedError(fmt.Errorf("again: %w", err))).To(MatchError(c.want), "said once")
	}
}

// TestDescribeForm checks the error for a field of a wrong type.
func TestDescribeForm(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`Deployment/web: Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`,
			"Deployment/web: spec.replicas must be a number, and is a string; correct the values, or have the chart corrected"},
		{`ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string`,
			"ConfigMap: data must be a string, and is a number; correct the values, or have the chart corrected"},
		{`Service in version "v1" cannot be handled as a Service: json: cannot unmarshal object into Go struct field ServiceSpec.spec.ports of type []v1.ServicePort`,
			"Service: spec.ports must be a list, and is a mapping; correct the values, or have the chart corrected"},
		{`Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool`,
			"Pod: spec.hostNetwork must be true or false, and is a string; correct the values, or have the chart corrected"},
	} {
		m := wrongForm.FindStringSubmatch(c.text)
		NewWithT(t).Expect(m).NotTo(BeNil(), c.text)
		NewWithT(t).Expect(describeForm(m)).To(Equal(c.want))
	}
}
