package ui

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/ui/images"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/live"
	"github.com/appmarket/operator/ui/pages"
	"github.com/appmarket/operator/ui/reports"
)

// Run serves the pages with the flags of a command line until the process is asked to stop.
func Run(args []string, version string) error {
	o, err := parseFlags(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	log := zap.New()
	ctrl.SetLogger(log)
	account, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	account.UserAgent = "appmarket-ui/" + version
	limitGarbage()
	return serveCluster(ctrl.SetupSignalHandler(), o, account, version, log, os.Stdout)
}

// serveCluster serves the pages of the cluster of an account until the context is done.
func serveCluster(ctx context.Context, o *options, account *rest.Config, version string, log logr.Logger, out io.Writer) error {
	hub := live.NewHub(o.maxStreams)
	cluster, err := kube.New(account, hub.Notify)
	if err != nil {
		return err
	}
	fetcher, err := reports.New(o.repositoryURL)
	if err != nil {
		return fmt.Errorf("--repository-url: %w", err)
	}
	terminals, err := o.newTerminals(log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	po := pages.Options{
		Cluster: cluster, Hub: hub, Terminals: terminals, Reports: fetcher, RepositoryURL: o.repositoryURL,
		SessionMaxAge: o.sessionMaxAge, HTTPS: o.usesHTTPS(), Version: version, Log: log,
	}
	if o.fetchImages {
		po.Images = images.New(netguard.Policy{}, "appmarket-ui/"+version)
	}
	if err := o.addSignIn(&po, listener.Addr()); err != nil {
		return errors.Join(err, listener.Close())
	}
	handler, err := pages.New(po)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(outcome.Guarded(func() error { return cluster.Start(ctx) }))
	group.Go(outcome.Guarded(func() error { return maintainRecordings(ctx, terminals) }))
	group.Go(outcome.Guarded(func() error {
		if !cluster.WaitForSync(ctx) {
			return listener.Close()
		}
		printAddress(out, o, po, listener.Addr())
		return serveHTTP(ctx, o, handler, listener, hub, terminals)
	}))
	return group.Wait()
}

// printAddress prints or logs the address of the pages. The link of a local server is printed and not logged.
func printAddress(out io.Writer, o *options, po pages.Options, address net.Addr) {
	scheme := "http"
	if o.certDir != "" {
		scheme = "https"
	}
	if po.Link == nil {
		po.Log.Info("Serving the pages", "address", address.String())
		return
	}
	link := fmt.Sprintf("%s://%s/link?code=%s", scheme, address, po.Link.Renew(time.Now()))
	fmt.Fprintf(out, "pages  %s\n", link)
	if o.onLink != nil {
		o.onLink(link)
	}
}

// certificatePaths returns the paths of the certificate and of its key.
func (o *options) certificatePaths() (cert, key string) {
	return filepath.Join(o.certDir, "tls.crt"), filepath.Join(o.certDir, "tls.key")
}
