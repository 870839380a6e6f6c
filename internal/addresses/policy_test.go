package addresses

import (
	"testing"

	. "github.com/onsi/gomega"
)

func TestCheckPolicy(t *testing.T) {
	const template = "{entrance}.{instance}.{namespace}.apps.example.com"
	gateway := Gateway{Namespace: "gateways", Name: "public"}
	for _, c := range []struct {
		why      string
		policy   Policy
		template string
		wantErr  string
	}{
		{why: "no addresses", policy: Policy{Type: TypeNone}},
		{why: "an Ingress", policy: Policy{Type: TypeIngress, Scheme: SchemeHTTP, IngressClass: "nginx"}, template: template},
		{why: "an Ingress with a certificate", policy: Policy{Type: TypeIngress, Scheme: SchemeHTTPS, TLSSecret: "{host}"}, template: template},
		{why: "an HTTPRoute", policy: Policy{Type: TypeHTTPRoute, Scheme: SchemeHTTPS, Gateway: gateway}, template: template},
		{why: "an invalid template", policy: Policy{Type: TypeIngress}, template: "{app}.example.com", wantErr: `--address-host-template: Invalid value: "{app}.example.com"`},
		{why: "a missing template", policy: Policy{Type: TypeIngress}, wantErr: `--address-host-template: Invalid value: ""`},
		{why: "no gateway", policy: Policy{Type: TypeHTTPRoute}, template: template, wantErr: "--address-gateway: required"},
		{why: "a gateway for an Ingress", policy: Policy{Type: TypeIngress, Gateway: gateway}, template: template, wantErr: "--address-gateway: requires"},
		{why: "a class for an HTTPRoute", policy: Policy{Type: TypeHTTPRoute, Gateway: gateway, IngressClass: "x"}, template: template, wantErr: "--address-ingress-class: requires"},
		{why: "a Secret for an HTTPRoute", policy: Policy{Type: TypeHTTPRoute, Gateway: gateway, TLSSecret: "x"}, template: template, wantErr: "--address-tls-secret: requires"},
		{why: "a Secret without https", policy: Policy{Type: TypeIngress, Scheme: SchemeHTTP, TLSSecret: "x"}, template: template, wantErr: "--address-tls-secret: requires --address-scheme=https"},
		{
			why: "a Secret with another placeholder", policy: Policy{Type: TypeIngress, Scheme: SchemeHTTPS, TLSSecret: "{instance}-tls"}, template: template,
			wantErr: `--address-tls-secret: Invalid value: "{instance}-tls"`,
		},
		{why: "an invalid class", policy: Policy{Type: TypeIngress, IngressClass: "A B"}, template: template, wantErr: "--address-ingress-class: Invalid value"},
		{
			why: "an invalid annotation", policy: Policy{Type: TypeIngress, Annotations: map[string]string{"a b": ""}}, template: template,
			wantErr: `--address-annotation: Invalid value: "a b"`,
		},
		{
			why: "the annotation of the operator", policy: Policy{Type: TypeIngress, Annotations: map[string]string{"appmarket.io/entrance": "x"}}, template: template,
			wantErr: "is set by the operator",
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			err := c.policy.Check(c.template)
			if c.wantErr == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(MatchError(ContainSubstring(c.wantErr)))
		})
	}
}

func TestGatewayFlag(t *testing.T) {
	g := NewWithT(t)
	var gateway Gateway
	g.Expect(gateway.String()).To(BeEmpty())
	g.Expect(gateway.Set("gateways/public")).To(Succeed())
	g.Expect(gateway).To(Equal(Gateway{Namespace: "gateways", Name: "public"}))
	g.Expect(gateway.Set("gateways/public/https")).To(Succeed())
	g.Expect(gateway.String()).To(Equal("gateways/public/https"))
	for _, invalid := range []string{"", "public", "gateways/", "/public", "a/b/c/d", "Gateways/public"} {
		g.Expect(gateway.Set(invalid)).NotTo(Succeed(), invalid)
	}
}
