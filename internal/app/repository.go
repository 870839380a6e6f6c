package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/access"
	"github.com/appmarket/operator/internal/chartrepo"
)

const (
	// repositoryAudience is the audience of tokens for the repository only.
	repositoryAudience = "appmarket.io"
	// repositoryAnswerAge is how long a decision about read access is cached.
	repositoryAnswerAge = 10 * time.Second
)

// newReviewer returns the reviewer of access to the repository. cfg must not be subject to
// the leader fence: a replica that is not the leader serves the repository too.
func newReviewer(cfg *rest.Config) (*access.Reviewer, error) {
	reviewer, err := access.New(cfg, access.Options{Audience: repositoryAudience, Age: repositoryAnswerAge})
	if err != nil {
		return nil, fmt.Errorf("configure token reviews: %w", err)
	}
	return reviewer, nil
}

// sourceAccess returns the Access of the repository: a source that is not shared with all
// namespaces is readable by accounts that can get the MarketSource.
func sourceAccess(reviewer *access.Reviewer, log logr.Logger) chartrepo.Access {
	logged := rate.Sometimes{Interval: time.Minute}
	return func(ctx context.Context, token string, owner hydrate.Owner) (access.Decision, error) {
		decision, err := reviewer.Review(ctx, token, access.Right{
			Verb: "get", Group: v1alpha1.GroupVersion.Group, Resource: "marketsources", Namespace: owner.Namespace, Name: owner.Source,
		})
		if err != nil && ctx.Err() == nil {
			logged.Do(func() { log.Error(err, "Failed to review access to the repository") })
		}
		return decision, err
	}
}

// addRepository adds the server of the repository.
func (p *components) addRepository(ctx context.Context, mgr ctrl.Manager, o *options, checks ...chartrepo.Check) error {
	informer, err := mgr.GetCache().GetInformer(ctx, &v1alpha1.MarketSource{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch sources: %w", err)
	}
	shared, err := newSharedSources(informer, isSharedWithAll(o.marketNamespaces()))
	if err != nil {
		return err
	}
	apps, err := mgr.GetCache().GetInformer(ctx, &v1alpha1.AppInfo{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch apps: %w", err)
	}
	synced, err := p.listed.watchObjects(informer, apps)
	if err != nil {
		return err
	}
	isKnown := func() bool {
		return shared.isKnown() && !slices.ContainsFunc(synced, func(hasSynced func() bool) bool { return !hasSynced() })
	}
	handler := chartrepo.Handler(p.store, chartrepo.HandlerOptions{
		Ready: isKnown, Shared: shared.hasOwner, Access: sourceAccess(p.reviewer, mgr.GetLogger()),
		Review:  reviewAccess(p.reviewer, mgr.GetLogger()),
		Markets: o.markets, Version: ProgramVersion(), Checks: checks,
	})
	handler = withReceiver(mgr, o, p.writer, p.withUploads(mgr, shared.isKnown, handler))
	service, certificate, err := repositoryService(o, handler, mgr.GetLogger())
	if err != nil {
		return err
	}
	if certificate == nil {
		return mgr.Add(service)
	}
	return errors.Join(mgr.Add(certificate), mgr.Add(service))
}

// repositoryService returns the server of the repository and, if it is served over HTTPS, the
// watcher of its certificate.
func repositoryService(o *options, handler http.Handler, log logr.Logger) (*chartrepo.Service, *certwatcher.CertWatcher, error) {
	service := &chartrepo.Service{
		Log: log, Server: chartrepo.NewServer(o.repositoryAddress, handler), Connections: o.connections,
	}
	if o.repositoryCertDir == "" {
		return service, nil, nil
	}
	certificate, err := certwatcher.New(filepath.Join(o.repositoryCertDir, "tls.crt"), filepath.Join(o.repositoryCertDir, "tls.key"))
	if err != nil {
		return nil, nil, fmt.Errorf("--repository-cert-dir: read certificate: %w", err)
	}
	service.Certificate = certificate.GetCertificate
	return service, certificate, nil
}

// repositoryURL returns the URL of the repository for clients.
func repositoryURL(o *options) string {
	if o.repositoryURL != "" {
		return strings.TrimSuffix(o.repositoryURL, "/")
	}
	host, port, err := net.SplitHostPort(o.repositoryAddress)
	if err != nil || host == "" {
		host = "localhost"
	}
	scheme := "http://"
	if o.repositoryCertDir != "" {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(host, port)
}
