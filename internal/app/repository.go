package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
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
	// repositoryAudience is an audience of tokens that are for the repository only.
	repositoryAudience = "appmarket.io"
	// repositoryAnswerAge is how long a decision about who may read a source is used again.
	repositoryAnswerAge = 10 * time.Second
)

// newReviewer returns what decides who may read the repository. The API server is asked by
// cfg, which must not be behind the fence: a replica that does not lead serves too.
func newReviewer(cfg *rest.Config) (*access.Reviewer, error) {
	reviewer, err := access.New(cfg, access.Options{Audience: repositoryAudience, Age: repositoryAnswerAge})
	if err != nil {
		return nil, fmt.Errorf("set up the review of tokens: %w", err)
	}
	return reviewer, nil
}

// sourceAccess returns who may read a source that is not shared with all: accounts that may
// get the MarketSource.
func sourceAccess(reviewer *access.Reviewer, log logr.Logger) chartrepo.Access {
	logged := rate.Sometimes{Interval: time.Minute}
	return func(ctx context.Context, token string, owner hydrate.Owner) (access.Decision, error) {
		decision, err := reviewer.Review(ctx, token, access.Right{
			Verb: "get", Group: v1alpha1.GroupVersion.Group, Resource: "marketsources", Namespace: owner.Namespace, Name: owner.Source,
		})
		if err != nil && ctx.Err() == nil {
			logged.Do(func() { log.Error(err, "Could not ask who reads the repository") })
		}
		return decision, err
	}
}

// serveRepository adds the server of the repository.
func (p *components) addRepository(ctx context.Context, mgr ctrl.Manager, o *options, checks ...chartrepo.Check) error {
	informer, err := mgr.GetCache().GetInformer(ctx, &v1alpha1.MarketSource{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch sources: %w", err)
	}
	shared, err := newSharedSources(informer, isSharedWithAll(o.marketNamespaces()))
	if err != nil {
		return err
	}
	handler := chartrepo.Handler(p.store, chartrepo.HandlerOptions{
		Ready: shared.isKnown, Shared: shared.hasOwner, Access: sourceAccess(p.reviewer, mgr.GetLogger()),
		Markets: o.markets, Version: programVersion(), Checks: checks,
	})
	service, certificate, err := repositoryService(o, handler, mgr.GetLogger())
	if err != nil {
		return err
	}
	if certificate == nil {
		return mgr.Add(service)
	}
	return errors.Join(mgr.Add(certificate), mgr.Add(service))
}

// repositoryService returns the server of the repository and, if it is served over HTTPS,
// what reads its certificate again when it changes.
func repositoryService(o *options, handler http.Handler, log logr.Logger) (*chartrepo.Service, *certwatcher.CertWatcher, error) {
	service := &chartrepo.Service{
		Log: log, Server: chartrepo.NewServer(o.repositoryAddress, handler), Connections: o.connections,
	}
	if o.repositoryCertDir == "" {
		return service, nil, nil
	}
	certificate, err := certwatcher.New(filepath.Join(o.repositoryCertDir, "tls.crt"), filepath.Join(o.repositoryCertDir, "tls.key"))
	if err != nil {
		return nil, nil, fmt.Errorf("read the certificate of --repository-cert-dir: %w", err)
	}
	service.Certificate = certificate.GetCertificate
	return service, certificate, nil
}

// repositoryURL is where others reach the repository.
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
