package app

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/addresses"
)

func TestAddressFlags(t *testing.T) {
	const template = "--address-host-template={entrance}.{instance}.{namespace}.apps.example.com"
	for why, c := range map[string]struct {
		args []string
		says string
	}{
		"an unknown type":          {[]string{"--address-type=Service"}, "must be None, Ingress or HTTPRoute"},
		"no host template":         {[]string{"--address-type=Ingress"}, `--address-host-template: Invalid value: ""`},
		"an invalid host template": {[]string{"--address-type=Ingress", "--address-host-template={app}.example.com"}, `label "{app}": must consist of`},
		"an unknown scheme":        {[]string{"--address-scheme=ftp"}, "must be http or https"},
		"an invalid gateway":       {[]string{"--address-gateway=public"}, "must have the form <namespace>/<name>"},
		"no gateway":               {[]string{"--address-type=HTTPRoute", template}, "--address-gateway: required"},
		"an annotation twice":      {[]string{"--address-annotation=a=b", "--address-annotation=a=c"}, `"a" is specified twice`},
		"an annotation, no value":  {[]string{"--address-annotation=a"}, "must have the form <key>=<value>"},
	} {
		t.Run(why, func(t *testing.T) {
			_, err := parseFlags(c.args)
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(c.says)))
		})
	}

	g := NewWithT(t)
	o, err := parseFlags([]string{
		"--address-type=Ingress", template, "--address-scheme=https", "--address-ingress-class=nginx", "--address-tls-secret={host}",
		"--address-annotation=cert-manager.io/cluster-issuer=public", "--address-annotation=note=a=b", "--address-plain-charts",
	})
	g.Expect(err).NotTo(HaveOccurred())
	policy := o.addresses.policy
	g.Expect(policy.Type).To(Equal(addresses.TypeIngress))
	g.Expect(policy.Scheme).To(Equal(addresses.SchemeHTTPS))
	g.Expect(policy.IngressClass).To(Equal("nginx"))
	g.Expect(policy.TLSSecret).To(Equal("{host}"))
	g.Expect(policy.Annotations).To(Equal(map[string]string{"cert-manager.io/cluster-issuer": "public", "note": "a=b"}))
	g.Expect(policy.PlainCharts).To(BeTrue())
}
