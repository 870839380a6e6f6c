package source

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/dockerconfig"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source/git"
)

// Options holds the settings of a source that the operator determines, and not its
// spec.
type Options struct {
	// UserAgent is the User-Agent header of requests.
	UserAgent string
	// Network determines the addresses to which connections are made.
	Network netguard.Policy
	// AllowedRoots are the folders in which a source of type Directory may lie.
	AllowedRoots []string
	// Cache caches the charts of sources of type Directory. Optional.
	Cache *FolderCache
	// Checkouts holds the files of sources of the types Git and Artifact. Optional.
	Checkouts *Checkouts
	// PublishedURL is the URL of the repository with the published charts of the source.
	PublishedURL string
	// Market contains the published charts of other sources. Optional.
	Market MarketCharts
	// Uploads contains the charts of sources of type Upload. Optional.
	Uploads UploadStore
	// Shared keeps listings for sources with the same configuration. Optional.
	Shared *SharedListings
	// Kinds maps the kinds of the objects of sources of type Artifact.
	Kinds meta.RESTMapper
}

// FromSpec opens the source that a MarketSource specifies. It reads the Secrets and the
// object of Flux that the spec refers to in the namespace of the MarketSource. A Secret,
// key or object that does not exist is stalled with ReferenceNotFound, and an invalid
// spec with InvalidSpec. An object without a current artifact is waiting with
// WaitingForArtifact.
func FromSpec(ctx context.Context, secrets client.Reader, ms *v1alpha1.MarketSource, options Options) (Source, error) {
	cfg := Config{
		Namespace: ms.Namespace, UserAgent: options.UserAgent, Network: options.Network, PublishedURL: options.PublishedURL,
		Market: options.Market, Shared: options.Shared,
	}
	if filter := ms.Spec.Filter; filter != nil {
		cfg.Include, cfg.Exclude, cfg.MaxVersions = filter.Include, filter.Exclude, int(filter.MaxVersions)
		cfg.Versions, cfg.Prereleases = filter.Versions, filter.Prereleases
	}
	if ms.Spec.Directory != nil {
		cfg.Directory = &DirectoryConfig{Path: ms.Spec.Directory.Path, AllowedRoots: options.AllowedRoots, Cache: options.Cache}
	}
	if ms.Spec.Helm != nil {
		helm, err := helmConfig(ctx, secrets, ms)
		if err != nil {
			return nil, err
		}
		cfg.Helm = helm
	}
	if ms.Spec.OCI != nil {
		oci, err := ociConfig(ctx, secrets, ms)
		if err != nil {
			return nil, err
		}
		cfg.OCI = oci
	}
	if ms.Spec.Git != nil {
		repository, err := gitConfig(ctx, secrets, ms)
		if err != nil {
			return nil, err
		}
		repository.Checkouts = options.Checkouts
		cfg.Git = repository
	}
	if ms.Spec.Olares != nil {
		store, err := olaresConfig(ctx, secrets, ms)
		if err != nil {
			return nil, err
		}
		cfg.Olares = store
	}
	if ms.Spec.Artifact != nil {
		artifact, err := artifactConfig(ctx, secrets, options.Kinds, ms)
		if err != nil {
			return nil, err
		}
		artifact.Timeout, artifact.Checkouts = ms.Spec.Timeout.Or(DefaultTimeout), options.Checkouts
		cfg.Artifact = artifact
	}
	if ms.Spec.Upload != nil {
		upload, err := uploadConfig(secrets, ms, options.Uploads)
		if err != nil {
			return nil, err
		}
		cfg.Upload = upload
	}
	return Open(cfg)
}

// uploadConfig returns the configuration of a source of uploaded charts. A source whose spec has changed
// may have had another type before, so that its folder may not exist.
func uploadConfig(objects client.Reader, ms *v1alpha1.MarketSource, store UploadStore) (*UploadConfig, error) {
	cfg := &UploadConfig{
		Owner: hydrate.Owner{Namespace: ms.Namespace, Source: ms.Name}, Store: store,
		HasOffered: ms.Status.Apps != nil && ms.Status.Apps.Offered > 0 && ms.Status.ObservedGeneration == ms.Generation,
	}
	if ms.Spec.Upload.ConfigMapSelector == nil {
		return cfg, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(ms.Spec.Upload.ConfigMapSelector)
	if err != nil {
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidSpec, fmt.Errorf("spec.upload.configMapSelector: %w", err))
	}
	cfg.ConfigMaps = &ConfigMapReader{Objects: objects, Namespace: ms.Namespace, Selector: selector}
	return cfg, nil
}

func ociConfig(ctx context.Context, secrets client.Reader, ms *v1alpha1.MarketSource) (*OCIConfig, error) {
	spec := ms.Spec.OCI
	cfg := &OCIConfig{
		URL: spec.URL, Charts: spec.Charts, AllCharts: ptr.Deref(spec.AllCharts, false),
		Insecure: ptr.Deref(spec.Insecure, false), Timeout: ms.Spec.Timeout.Or(DefaultTimeout),
	}
	if ref := spec.SecretRef; ref != nil {
		secret, err := getCredentials(ctx, secrets, "spec.oci.secretRef", ms.Namespace, ref.Name)
		if err != nil {
			return nil, err
		}
		if err := cfg.setLogin(secret); err != nil {
			return nil, err
		}
	}
	var err error
	cfg.TransportConfig, err = ReadTransport(ctx, secrets, ms)
	return cfg, err
}

// setLogin sets the username and the password in a Secret, or in the entry of the registry in its docker config.
func (c *OCIConfig) setLogin(secret *corev1.Secret) error {
	const field = "spec.oci.secretRef"
	c.Username, c.Password = string(secret.Data["username"]), string(secret.Data["password"])
	config, isDockerConfig := secret.Data[corev1.DockerConfigJsonKey]
	if isDockerConfig && c.Username == "" {
		keys, err := dockerconfig.Parse(config)
		if err != nil {
			return secretError("%s: key %q of Secret %q: %w", field, corev1.DockerConfigJsonKey, secret.Name, err)
		}
		repository := strings.TrimPrefix(c.URL, ociScheme)
		if c.Username, c.Password = keys.FindLogin(repository); c.Username == "" {
			return secretError("%s: the docker config in Secret %q has no username and password for %s: add an entry", field, secret.Name, repository)
		}
	}
	if c.Username == "" {
		return secretError("%s: Secret %q has no credentials: add the keys username and password, or use a Secret of type %s",
			field, secret.Name, corev1.SecretTypeDockerConfigJson)
	}
	return nil
}

func helmConfig(ctx context.Context, secrets client.Reader, ms *v1alpha1.MarketSource) (*HelmConfig, error) {
	cfg := &HelmConfig{URL: ms.Spec.Helm.URL, Timeout: ms.Spec.Timeout.Or(DefaultTimeout)}
	if ref := ms.Spec.Helm.SecretRef; ref != nil {
		secret, err := getCredentials(ctx, secrets, "spec.helm.secretRef", ms.Namespace, ref.Name)
		if err != nil {
			return nil, err
		}
		cfg.Username, cfg.Password = string(secret.Data["username"]), string(secret.Data["password"])
		cfg.Token = string(secret.Data["token"])
		if cfg.Username == "" && cfg.Token == "" {
			return nil, secretError("spec.helm.secretRef: Secret %q has no credentials: add the keys username and password, or the key token", ref.Name)
		}
	}
	var err error
	cfg.TransportConfig, err = ReadTransport(ctx, secrets, ms)
	return cfg, err
}

func gitConfig(ctx context.Context, secrets client.Reader, ms *v1alpha1.MarketSource) (*GitConfig, error) {
	spec := ms.Spec.Git
	cfg := &GitConfig{URL: spec.URL, Path: spec.Path, Timeout: ms.Spec.Timeout.Or(DefaultTimeout)}
	if ref := spec.Ref; ref != nil {
		cfg.Selection = git.Selection{Branch: ref.Branch, Tag: ref.Tag, Commit: ref.Commit, Semver: ref.Semver}
	}
	if ref := spec.SecretRef; ref != nil {
		secret, err := getCredentials(ctx, secrets, "spec.git.secretRef", ms.Namespace, ref.Name)
		if err != nil {
			return nil, err
		}
		cfg.Username, cfg.Password, cfg.Token = string(secret.Data["username"]), string(secret.Data["password"]), string(secret.Data["token"])
		cfg.PrivateKey, cfg.KnownHosts = secret.Data[corev1.SSHAuthPrivateKey], secret.Data["known_hosts"]
		if cfg.Username == "" && cfg.Token == "" && len(cfg.PrivateKey) == 0 {
			return nil, secretError("spec.git.secretRef: Secret %q has no credentials: add the keys username and password, the key token, or the keys ssh-privatekey and known_hosts", ref.Name)
		}
	}
	var err error
	cfg.TransportConfig, err = ReadTransport(ctx, secrets, ms)
	return cfg, err
}

func olaresConfig(ctx context.Context, secrets client.Reader, ms *v1alpha1.MarketSource) (*OlaresConfig, error) {
	spec := ms.Spec.Olares
	cfg := &OlaresConfig{URL: spec.URL, SystemVersion: spec.SystemVersion, Timeout: ms.Spec.Timeout.Or(DefaultTimeout)}
	if ref := spec.SecretRef; ref != nil {
		secret, err := getCredentials(ctx, secrets, "spec.olares.secretRef", ms.Namespace, ref.Name)
		if err != nil {
			return nil, err
		}
		cfg.Username, cfg.Password, cfg.Token = string(secret.Data["username"]), string(secret.Data["password"]), string(secret.Data["token"])
		if cfg.Username == "" && cfg.Token == "" {
			return nil, secretError("spec.olares.secretRef: Secret %q has no credentials: add the keys username and password, or the key token", ref.Name)
		}
	}
	var err error
	cfg.TransportConfig, err = ReadTransport(ctx, secrets, ms)
	return cfg, err
}
