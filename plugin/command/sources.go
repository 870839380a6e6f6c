package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/sourcebuilder"
	"github.com/appmarket/operator/plugin/follow"
	"github.com/appmarket/operator/plugin/table"
)

func (f *Factory) newSourcesCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "sources", Short: "List the sources of the market", Args: exactArgs(0, ""),
		Example: f.example("# List all sources", "sources", "# List the apps that failed", "search --source samples --failed"),
	}
	l := newListFlags(c)
	l.addSelector(c)
	l.addWatch(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		k, namespace, err := f.connect()
		if err != nil {
			return err
		}
		options, err := l.options("")
		if err != nil {
			return err
		}
		var list v1alpha1.MarketSourceList
		count := func() int { return len(list.Items) }
		listed, err := f.listFromMarket(c.Context(), k, namespace, &list, count, options[1:]...)
		if err != nil {
			return err
		}
		if l.watch {
			return f.watchList(c.Context(), k, l, watchedList{
				empty: &v1alpha1.MarketSourceList{}, options: append(options[1:], client.InNamespace(listed)),
				toTable: func(objects []client.Object) *metav1.Table {
					return table.Sources(objectsOf[v1alpha1.MarketSource](objects), f.Now())
				},
			})
		}
		return f.printList(l, &list, table.Sources(list.Items, f.Now()), "No sources found")
	}
	return c
}

func (f *Factory) newSourceCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "source", Short: "Add, change and remove the sources of a namespace", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(f.newSourceAddCommand(), f.newSourceSyncCommand(), f.newSourceSuspendCommand("suspend", "Suspend the synchronization of a source", true),
		f.newSourceSuspendCommand("resume", "Resume the synchronization of a source", false), f.newSourceRemoveCommand())
	return c
}

// allowedNamespacesFlag is the flag that shares a source.
const allowedNamespacesFlag = "allowed-namespaces"

// warnAboutSharing prints that other namespaces cannot install the apps of a source, for a user who did not decide
// about it.
func (f *Factory) warnAboutSharing(source *v1alpha1.MarketSource) {
	fmt.Fprintf(f.Streams.ErrOut, "warning: only namespace %s can install the apps of source %s; --%s all shares them with all namespaces\n",
		source.Namespace, source.Name, allowedNamespacesFlag)
}

func (f *Factory) newSourceAddCommand() *cobra.Command {
	var s sourcebuilder.Request
	var interval time.Duration
	var w waitTimeout
	c := &cobra.Command{
		Use: "add NAME [LOCATION]", Short: "Add a source",
		Long: "Adds a MarketSource to the namespace. LOCATION is the URL of a Helm repository, the oci:// URL of a chart or of a path in a registry, the https:// or ssh:// URL of a git repository, KIND/NAME of an object of Flux with an artifact, the URL of an app store of Olares (with --type olares), or the absolute path of a directory that the operator can read. A source of type Upload has no LOCATION.",
		Example: f.example("# Add a Helm repository, and wait until its apps are hydrated",
			"source add samples https://charts.example/samples -n market --allowed-namespaces all --wait",
			"# Add two charts of a registry", "source add team oci://registry.example/charts -n market --charts web,db",
			"# Add the charts in a directory of a git repository", "source add apps https://git.example/apps.git -n market --ref semver:1.x --path charts",
			"# Add the charts in the artifact of an object of Flux", "source add apps GitRepository/apps -n market --path charts",
			"# Add an app store of Olares", "source add store https://store.example -n market --type olares --profile olares",
			"# Add a registry behind a proxy that requires a client certificate",
			"source add team oci://registry.example/charts -n market --charts web --cert-secret registry --proxy-secret proxy",
			"# Require signatures of a workflow of GitHub",
			"source add team oci://ghcr.io/example/charts -n market --charts web --verify cosign --trust-root trust/trusted_root.json --identity 'https://token.actions.githubusercontent.com ~https://github\\.com/example/.*'",
			"# Add a source to which users upload charts", "source add uploads --type upload -n market"),
		Args: locationArgs(&s.Type), ValidArgsFunction: noCompletion,
	}
	write := newWriteFlags(c, "created")
	flags := c.Flags()
	addChoice(c, &s.Type, "type", "Type of the source. Defaults to the type of the location.", v1alpha1.SourceTypeHelm, v1alpha1.SourceTypeOCI, v1alpha1.SourceTypeGit, v1alpha1.SourceTypeOlares, v1alpha1.SourceTypeArtifact, v1alpha1.SourceTypeDirectory, v1alpha1.SourceTypeUpload)
	addChoice(c, &s.Profile, "profile", "Platform profile with which the charts are rendered. Defaults to helm.", v1alpha1.ProfileHelm, v1alpha1.ProfileOlares)
	flags.StringVar(&s.Secret, "secret", "", "Secret with the credentials of the repository or the registry.")
	flags.StringVar(&s.CertSecret, "cert-secret", "", "Secret with CA certificates (ca.crt) and a client certificate (tls.crt, tls.key) for the repository or the registry.")
	flags.StringVar(&s.ProxySecret, "proxy-secret", "", "Secret with the address of a proxy, and its username and password.")
	flags.StringVar(&s.RegistrySecret, "registry-secret", "", "Secret with the credentials of the registries of images.")
	flags.BoolVar(&s.AllCharts, "all-charts", false, "Offer all charts below the URL of a registry that has a catalog.")
	flags.BoolVar(&s.Insecure, "insecure", false, "Allow a registry of charts over HTTP.")
	flags.StringSliceVar(&s.Charts, "charts", nil, "Names of the charts below the URL of a registry. If not specified, the URL specifies a chart.")
	flags.StringVar(&s.Ref, "ref", "", "Commit of a git repository: branch:NAME, tag:NAME, semver:RANGE or commit:SHA. Defaults to the default branch.")
	flags.StringVar(&s.Path, "path", "", "Directory of a git repository or an artifact that contains the charts. Defaults to its root.")
	flags.StringVar(&s.SystemVersion, "system-version", "", "Version of Olares for which an app store lists its apps.")
	flags.StringVar(&s.AllowedNamespaces, allowedNamespacesFlag, "same", "Namespaces that can use the apps: same, all, or a label selector of namespaces.")
	flags.StringSliceVar(&s.Include, "include", nil, "Patterns of the names of apps to include.")
	flags.StringSliceVar(&s.Exclude, "exclude", nil, "Patterns of the names of apps to exclude.")
	flags.Int32Var(&s.MaxVersions, "max-versions", 0, "Number of versions of each app that are hydrated. Defaults to 3.")
	flags.StringVar(&s.Versions, "versions", "", "Range of the versions that are hydrated, such as \">=1.2.0 <3\". If not specified, all versions are.")
	prereleases := flags.Bool("prereleases", true, "Hydrate prereleases. With --versions, the default is to hydrate those that the range mentions.")
	flags.DurationVar(&interval, "interval", 0, "Interval at which the source is checked for changes. Defaults to 10m.")
	addChoice(c, &s.Receiver, "receiver", "Server that reports changes of the source.", v1alpha1.ReceiverGitHub, v1alpha1.ReceiverGitLab, v1alpha1.ReceiverHarbor, v1alpha1.ReceiverDockerHub, v1alpha1.ReceiverGeneric)
	flags.StringVar(&s.ReceiverSecret, "receiver-secret", "", "Secret with the token of the server that reports changes.")
	addVerifyFlags(c, &s.Verify)
	w.addFlags(c, "the source is ready")
	c.RunE = func(c *cobra.Command, arguments []string) error {
		if c.Flags().Changed("prereleases") {
			s.Prereleases = prereleases
		}
		if err := write.readDryRun(c); err != nil {
			return err
		}
		k, namespace, err := f.connect()
		if err != nil {
			return err
		}
		s.Namespace, s.Name = cmp.Or(f.market, namespace), arguments[0]
		if len(arguments) > 1 {
			s.Location = arguments[1]
		}
		if interval != 0 {
			s.Interval = v1alpha1.Duration(interval.String())
		}
		source, err := sourcebuilder.NewSource(s)
		if err != nil {
			return err
		}
		switch write.dryRun {
		case cmdutil.DryRunClient:
		case cmdutil.DryRunServer:
			err = k.Create(c.Context(), source, client.DryRunAll)
		default:
			err = k.Create(c.Context(), source)
		}
		if err != nil {
			return err
		}
		if !c.Flag(allowedNamespacesFlag).Changed {
			f.warnAboutSharing(source)
		}
		if err := write.printObjects(f.Streams.Out, source); err != nil || !w.wait || write.dryRun != cmdutil.DryRunNone {
			return err
		}
		return f.followSource(c.Context(), k, source, w.timeout, "")
	}
	return c
}

// addVerifyFlags adds the flags for the signature that charts must have.
func addVerifyFlags(c *cobra.Command, verify *sourcebuilder.VerifyRequest) {
	addChoice(c, &verify.Provider, "verify", "Signature that each chart must have.",
		v1alpha1.VerificationProviderHelmProvenance, v1alpha1.VerificationProviderCosign, v1alpha1.VerificationProviderNotation)
	c.Flags().StringVar(&verify.TrustRoot, "trust-root", "", "Keys or certificates of the signers: NAME/KEY of a ConfigMap, or secret/NAME/KEY.")
	c.Flags().StringArrayVar(&verify.Identities, "identity", nil,
		"Signer, can be repeated. For cosign without a key, 'ISSUER SUBJECT', of which a part that begins with ~ is a regular expression; for notation, 'x509.subject: NAME'.")
}

// locationArgs requires the name of a source, and its location unless its type has none.
func locationArgs(sourceType *v1alpha1.SourceType) cobra.PositionalArgs {
	return func(c *cobra.Command, arguments []string) error {
		if *sourceType == v1alpha1.SourceTypeUpload {
			return exactArgs(1, "the name of a source")(c, arguments)
		}
		return exactArgs(2, "the name and the location of a source")(c, arguments)
	}
}

// followSource waits until a source is ready or cannot become ready. request is the value of the
// reconcile request that it must have handled.
func (f *Factory) followSource(ctx context.Context, k client.WithWatch, source *v1alpha1.MarketSource, timeout time.Duration, request string) error {
	ctx, limited, stop := waitContexts(ctx, timeout)
	defer stop()
	p := &sourceProgress{out: f.Streams.ErrOut, request: request}
	err := follow.WaitFor(limited, k, source.DeepCopy(), &v1alpha1.MarketSourceList{}, p.isEnded)
	var state []string
	if p.ready != nil {
		state = []string{reasonLine(p.ready.Reason, p.ready.Message)}
	}
	hints := []string{f.Name + " sources -o wide"}
	switch {
	case ctx.Err() != nil:
		return &exitError{code: ExitInterrupted, cause: fmt.Errorf("interrupted; source %s continues", source.Name), details: state, hints: hints}
	case errors.Is(err, context.DeadlineExceeded):
		return &exitError{code: ExitTimedOut, cause: fmt.Errorf("timed out after %s; source %s continues", timeout, source.Name), details: state, hints: hints}
	case err != nil:
		return err
	case p.stalled != nil:
		state = []string{reasonLine(p.stalled.Reason, p.stalled.Message)}
		return &exitError{code: ExitFailed, cause: fmt.Errorf("source %s is not ready", source.Name), details: state}
	}
	f.printResult("source %s/%s is ready: %s", source.Namespace, source.Name, printable(p.ready.Message))
	return nil
}

// sourceProgress is the last state of a source for which a command waits.
type sourceProgress struct {
	out            io.Writer
	request        string
	ready, stalled *metav1.Condition
	// reason is the reason that was printed last.
	reason string
}

// isEnded reports whether a source is ready or cannot become ready. It prints each new reason why the source is not
// ready yet.
func (p *sourceProgress) isEnded(current *v1alpha1.MarketSource) bool {
	conditions := current.Status.Conditions
	p.ready, p.stalled = meta.FindStatusCondition(conditions, v1alpha1.ConditionReady), meta.FindStatusCondition(conditions, v1alpha1.ConditionStalled)
	isReady := p.ready != nil && p.ready.Status == metav1.ConditionTrue
	if p.ready != nil && !isReady && p.stalled == nil && p.ready.Reason != p.reason {
		p.reason = p.ready.Reason
		fmt.Fprintln(p.out, strings.TrimSpace(reasonLine(p.ready.Reason, p.ready.Message)))
	}
	if p.request != "" && current.Status.LastHandledReconcileAt != p.request {
		return false
	}
	isCurrent := isReady && p.ready.ObservedGeneration == current.Generation
	return p.stalled != nil || isCurrent && !meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReconciling)
}

// findSource reads a source: in the market of the flags, in the namespace, or the only source with
// this name.
func (f *Factory) findSource(ctx context.Context, k client.Client, namespace, name string) (*v1alpha1.MarketSource, error) {
	var list v1alpha1.MarketSourceList
	if _, err := f.listFromMarket(ctx, k, namespace, &list, func() int { return len(list.Items) }); err != nil {
		return nil, err
	}
	found := slices.DeleteFunc(list.Items, func(source v1alpha1.MarketSource) bool { return source.Name != name })
	for i := range found {
		if found[i].Namespace == namespace || len(found) == 1 {
			return &found[i], nil
		}
	}
	if len(found) == 0 {
		return nil, withHint(fmt.Errorf("source %q not found", name), f.Name+" sources")
	}
	return nil, fmt.Errorf("source %q exists in %d namespaces: use --market NAMESPACE", name, len(found))
}
