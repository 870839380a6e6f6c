package app

import (
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/appmarket/operator/internal/addresses"
)

// addressOptions are the values of the flags that specify how entrances get an address.
type addressOptions struct {
	policy       addresses.Policy
	hostTemplate string
}

// addFlags adds the flags to a flag set.
func (o *addressOptions) addFlags(f *flag.FlagSet) {
	f.TextVar(&o.policy.Type, "address-type", addresses.TypeNone, "Kind of the object that gives each entrance of an app an address: None, Ingress or HTTPRoute. It belongs to the Helm release of the app, and is created with the permissions of the tenant.")
	f.StringVar(&o.hostTemplate, "address-host-template", "", "Template of the hosts of entrances with the placeholders {entrance}, {instance} and {namespace}, such as {entrance}.{instance}.{namespace}.apps.example.com. If one of them is not a label of its own, hosts get a digest. Required with --address-type.")
	f.TextVar(&o.policy.Scheme, "address-scheme", addresses.SchemeHTTP, "Scheme of the URLs of entrances: http or https. With https, an Ingress has a TLS section, and the listener of the Gateway must use TLS.")
	f.StringVar(&o.policy.IngressClass, "address-ingress-class", "", "IngressClass of entrances. Defaults to the default class of the cluster.")
	f.StringVar(&o.policy.TLSSecret, "address-tls-secret", "", "Name of the Secret with the certificate in the namespace of each instance, in which {host} is replaced by the host. Defaults to the default certificate of the ingress controller.")
	f.Var(&o.policy.Gateway, "address-gateway", "Gateway of entrances in the form <namespace>/<name> or <namespace>/<name>/<listener>. Required with --address-type=HTTPRoute.")
	f.Var((*annotations)(&o.policy.Annotations), "address-annotation", "Annotation of the Ingresses and HTTPRoutes of entrances in the form <key>=<value>, such as the issuer of certificates. Can be repeated.")
	f.BoolVar(&o.policy.PlainCharts, "address-plain-charts", false, "Give the web Services of charts without an app manifest an address too. Such charts do not declare which of their Services are for users.")
}

// checkPolicy returns an error if the flags are inconsistent.
func (o *addressOptions) checkPolicy() error { return o.policy.Check(o.hostTemplate) }

// annotations is a flag of the form key=value that can be repeated.
type annotations map[string]string

func (a *annotations) String() string { return fmt.Sprint(map[string]string(*a)) }

// Set adds an annotation.
func (a *annotations) Set(text string) error {
	key, value, found := strings.Cut(text, "=")
	if !found || key == "" {
		return errors.New("must have the form <key>=<value>")
	}
	if _, isSet := (*a)[key]; isSet {
		return fmt.Errorf("%q is specified twice", key)
	}
	if *a == nil {
		*a = annotations{}
	}
	(*a)[key] = value
	return nil
}
