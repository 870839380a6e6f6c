package command

import (
	"context"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"sync"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui"
)

func (f *Factory) newUICommand() *cobra.Command {
	var noOpen bool
	o := ui.LocalOptions{Version: f.Version, Log: logr.Discard()}
	c := &cobra.Command{
		Use: "ui", Short: "Serve the web pages on this machine",
		Long: "Serves the web pages on this machine, and prints a link by which a browser signs in once as the user of the kubeconfig. " +
			"On a terminal, the browser of the system is opened with it. " +
			"The user must be able to list the objects of AppMarket in all namespaces. The command ends with Ctrl-C.",
		Example: f.example("# Serve the web pages", "ui"),
		Args:    exactArgs(0, ""),
	}
	c.Flags().IntVar(&o.Port, "port", 0, "Local port. Defaults to a free port.")
	c.Flags().StringVar(&o.RepositoryURL, "repository-url", "", "URL of the Helm repository, from which READMEs and values are shown. If empty, they are not shown.")
	c.Flags().BoolVar(&o.Terminal, "terminal", false, "Open terminals in the containers of an instance. You must be allowed to create pods/exec.")
	c.Flags().BoolVar(&noOpen, "no-open", false, "Do not open the link in a browser.")
	c.RunE = func(c *cobra.Command, _ []string) error {
		config, err := f.flags.ToRESTConfig()
		if err != nil {
			return err
		}
		if err := checkMayWatch(c.Context(), config); err != nil {
			return err
		}
		ctx, _, stop := waitContexts(c.Context(), 0)
		var opening sync.WaitGroup
		defer func() {
			stop()
			opening.Wait()
		}()
		if f.Screen != nil && !noOpen {
			o.OnLink = func(link string) {
				// The browser must not delay the pages that it asks for.
				opening.Go(func() { f.openLink(ctx, link) })
			}
		}
		return ui.ServeLocal(ctx, config, o, f.Streams.Out)
	}
	return c
}

// openLink opens a one-time link in the browser of the system. Other users of this machine can see the arguments of the
// browser, so that it opens a file that only this user can read, which leads to the link. The file is kept until the context
// ends.
func (f *Factory) openLink(ctx context.Context, link string) {
	dir, err := os.MkdirTemp("", "appmarket-ui-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }() // The link in it has expired.
		file := filepath.Join(dir, "open.html")
		page := "<!DOCTYPE html><title>AppMarket</title><meta http-equiv=\"refresh\" content=\"0;url=" + html.EscapeString(link) + "\">\n"
		if err = os.WriteFile(file, []byte(page), 0o600); err == nil {
			err = openInBrowser(ctx, file)
		}
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(f.Streams.ErrOut, "the browser cannot be opened: %v\n", err)
	}
	<-ctx.Done()
}

// checkMayWatch returns an error if the user cannot watch the objects of AppMarket in all namespaces. The
// pages would wait for them without end.
func checkMayWatch(ctx context.Context, config *rest.Config) error {
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	for _, resource := range []string{"marketsources", "appinfos", "appinstances", "appinstalltasks"} {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "watch", Group: v1alpha1.GroupVersion.Group, Resource: resource},
		}}
		answer, err := clients.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		if !answer.Status.Allowed {
			return fmt.Errorf("cannot watch resource %q in API group %q in all namespaces, which the web pages require; use the web pages that run in the cluster", resource, v1alpha1.GroupVersion.Group)
		}
	}
	return nil
}
