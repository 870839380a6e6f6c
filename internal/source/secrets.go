package source

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// transportReferences are the references of a spec to the Secrets with a TransportConfig.
type transportReferences struct {
	// field is the field of the spec that contains the references.
	field       string
	cert, proxy *v1alpha1.LocalObjectReference
}

// transportReferencesOf returns the references of a source. They are empty for a type without them.
func transportReferencesOf(spec *v1alpha1.MarketSourceSpec) transportReferences {
	switch {
	case spec.Helm != nil:
		return transportReferences{"spec.helm", spec.Helm.CertSecretRef, spec.Helm.ProxySecretRef}
	case spec.OCI != nil:
		return transportReferences{"spec.oci", spec.OCI.CertSecretRef, spec.OCI.ProxySecretRef}
	case spec.Git != nil:
		return transportReferences{"spec.git", spec.Git.CertSecretRef, spec.Git.ProxySecretRef}
	case spec.Olares != nil:
		return transportReferences{"spec.olares", spec.Olares.CertSecretRef, spec.Olares.ProxySecretRef}
	}
	return transportReferences{}
}

// ServerOf returns the URL of the server of a source, to which its client certificate is presented. It is
// nil for a type without a server.
func ServerOf(spec *v1alpha1.MarketSourceSpec) (*url.URL, error) {
	var location string
	switch {
	case spec.Helm != nil:
		location = spec.Helm.URL
	case spec.OCI != nil:
		location = spec.OCI.URL
	case spec.Git != nil:
		location = spec.Git.URL
	case spec.Olares != nil:
		location = spec.Olares.URL
	default:
		return nil, nil
	}
	server, err := url.Parse(location)
	if err != nil {
		return nil, errors.New("the URL of the source cannot be parsed")
	}
	return server, nil
}

// ReadTransport reads the Secrets with the certificates and the proxy of a source. An invalid Secret is
// stalled with InvalidSpec.
func ReadTransport(ctx context.Context, secrets client.Reader, ms *v1alpha1.MarketSource) (TransportConfig, error) {
	refs := transportReferencesOf(&ms.Spec)
	var cfg TransportConfig
	if err := cfg.readCertificates(ctx, secrets, refs.field+".certSecretRef", ms.Namespace, refs.cert); err != nil {
		return TransportConfig{}, err
	}
	if err := cfg.readProxy(ctx, secrets, refs.field+".proxySecretRef", ms.Namespace, refs.proxy); err != nil {
		return TransportConfig{}, err
	}
	return cfg, nil
}

// readCertificates reads the Secret with certificates. Only a private key is secret, so that a Secret without
// one needs no label.
func (c *TransportConfig) readCertificates(ctx context.Context, secrets client.Reader, field, namespace string, ref *v1alpha1.LocalObjectReference) error {
	if ref == nil {
		return nil
	}
	secret, err := getSecret(ctx, secrets, field, namespace, ref.Name)
	if err != nil {
		return err
	}
	c.CA, c.Certificate, c.Key = secret.Data[caKey], secret.Data[certificateKey], secret.Data[privateKeyKey]
	if len(c.CA)+len(c.Certificate)+len(c.Key) == 0 {
		return secretError("%s: Secret %q has no certificate: add the key %q, or the keys %q and %q", field, ref.Name, caKey, certificateKey, privateKeyKey)
	}
	if len(c.Key) > 0 {
		if err := checkLabel(field, secret); err != nil {
			return err
		}
	}
	_, _, err = c.parseCertificates()
	return invalidSecret(field, ref.Name, err)
}

// readProxy reads the Secret with a proxy.
func (c *TransportConfig) readProxy(ctx context.Context, secrets client.Reader, field, namespace string, ref *v1alpha1.LocalObjectReference) error {
	if ref == nil {
		return nil
	}
	secret, err := getCredentials(ctx, secrets, field, namespace, ref.Name)
	if err != nil {
		return err
	}
	c.Proxy = ProxyConfig{
		Address: string(secret.Data[proxyAddressKey]), Username: string(secret.Data["username"]), Password: string(secret.Data["password"]),
	}
	if c.Proxy.Address == "" {
		return secretError("%s: Secret %q has no key %q: add the URL of the proxy, such as http://proxy.example:3128", field, ref.Name, proxyAddressKey)
	}
	_, err = c.Proxy.parse()
	return invalidSecret(field, ref.Name, err)
}

// invalidSecret returns the error for a Secret with an invalid value, nil if there is no error.
func invalidSecret(field, name string, err error) error {
	if err == nil {
		return nil
	}
	return outcome.Stalled(v1alpha1.ReasonInvalidSpec, fmt.Errorf("%s: Secret %q: %w", field, name, err))
}

// getCredentials returns the Secret with the credentials of a source. The label of the Secret
// proves that its owner allows sources to send it, because everybody who may create a source
// in the namespace can refer to any Secret.
func getCredentials(ctx context.Context, secrets client.Reader, field, namespace, name string) (*corev1.Secret, error) {
	secret, err := getSecret(ctx, secrets, field, namespace, name)
	if err != nil {
		return nil, err
	}
	return secret, checkLabel(field, secret)
}

// checkLabel returns an error if a Secret does not have the label.
func checkLabel(field string, secret *corev1.Secret) error {
	if secret.Labels[v1alpha1.CredentialsLabel] == "true" {
		return nil
	}
	return secretError("%s: Secret %q does not have the label %s=true, so no source may send it: add the label if the Secret is for servers that sources of namespace %q name",
		field, secret.Name, v1alpha1.CredentialsLabel, secret.Namespace)
}

// getSecret returns the Secret that a field of a spec refers to.
func getSecret(ctx context.Context, secrets client.Reader, field, namespace, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := secrets.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, secretError("%s: Secret %q does not exist in namespace %q: create it", field, name, namespace)
	case apierrors.IsForbidden(err):
		return nil, secretError("%s: the operator is not allowed to read Secret %q in namespace %q: bind the ClusterRole appmarket-market-secrets to its service account there", field, name, namespace)
	case err != nil:
		return nil, fmt.Errorf("%s: get Secret %q: %w", field, name, err)
	}
	return secret, nil
}

func secretError(format string, args ...any) error {
	return outcome.Stalled(v1alpha1.ReasonReferenceNotFound, fmt.Errorf(format, args...))
}
