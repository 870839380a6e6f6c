package app

import (
	"errors"
	"flag"
	"fmt"
	"runtime"
	"time"

	"go.uber.org/zap/zapcore"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/preflight/collector"
	"github.com/appmarket/operator/internal/worker"
)

// options are the values of the flags.
type options struct {
	version bool
	log     zap.Options
	// flags contains the flags that were set.
	flags *flag.FlagSet

	metricsAddress        string
	metricsAuthentication bool
	probeAddress          string
	leaderElection        bool
	leaseNamespace        string

	store             storeOptions
	repositoryAddress string
	repositoryURL     string
	repositoryCertDir string
	receiveHooks      bool
	receiveUploads    bool
	connections       int
	markets           stringList
	allowed           directories
	mirrors           stringMap
	plainHTTP         stringList
	allowLoopback     bool
	nodesOnDemand     collector.NodesOnDemand

	hydrations   int
	installs     int
	renderTime   time.Duration
	renderMemory int64
	memoryLimit  int64
	scrub        time.Duration
	limits       limits
	addresses    addressOptions

	// renderWorkers and ownMemory are derived from memoryLimit.
	renderWorkers int
	ownMemory     int64
}

func parseFlags(args []string) (*options, error) {
	// Stack traces are only logged for panics.
	o := &options{log: zap.Options{TimeEncoder: zapcore.RFC3339TimeEncoder, StacktraceLevel: zapcore.PanicLevel}}
	f := flag.NewFlagSet("appmarket", flag.ContinueOnError)
	o.flags = f
	f.BoolVar(&o.version, "version", false, "Print the version and exit.")
	f.StringVar(&o.metricsAddress, "metrics-bind-address", "127.0.0.1:8080", "Address of the metrics endpoint. 0 disables it.")
	f.BoolVar(&o.metricsAuthentication, "metrics-authentication", false, "Serve the metrics over HTTPS to accounts that can get the path /metrics.")
	f.StringVar(&o.probeAddress, "health-probe-bind-address", "127.0.0.1:8081", "Address of the probes /healthz and /readyz. 0 disables them.")
	f.BoolVar(&o.leaderElection, "leader-elect", false, "Enable leader election.")
	f.StringVar(&o.leaseNamespace, "leader-election-namespace", "", "Namespace of the lease for leader election. Defaults to the namespace of the pod.")
	o.store.addFlags(f)
	f.StringVar(&o.repositoryAddress, "repository-bind-address", ":8879", "Address of the Helm repository.")
	f.StringVar(&o.repositoryURL, "repository-url", "", "URL of the repository for clients. Defaults to http://localhost, or https://localhost with a certificate, with the port of the bind address.")
	f.BoolVar(&o.receiveHooks, "receive-hooks", true, "Accept webhooks for sources with spec.receiver at the path /hooks/ of the repository.")
	f.BoolVar(&o.receiveUploads, "receive-uploads", true, "Accept uploads for sources of type Upload, and store them in --store-dir. Disable it if the directory does not persist or is not shared by all replicas.")
	f.StringVar(&o.repositoryCertDir, "repository-cert-dir", "", "Directory with tls.crt and tls.key for serving the repository over HTTPS. If empty, plain HTTP is used.")
	f.IntVar(&o.connections, "repository-connections", chartrepo.DefaultConnections, "Maximum number of open connections of the repository. Idle connections are closed when it is reached.")
	f.Var(&o.markets, "market-namespaces", "Comma-separated list of namespaces whose sources can be shared, be of type Directory and use private addresses, in the order of the aggregate index. Can be repeated. Defaults to none.")
	f.Var(&o.allowed, "allowed-directories", "Comma-separated list of directories that sources of type Directory can use, each in the form <namespace>=<path>, or <path> for all market namespaces. Can be repeated. Defaults to none.")
	f.Var(&o.mirrors, "registry-mirror", "Registry mirror in the form <registry>=<url>, for example docker.io=http://mirror:5000. Can be repeated.")
	f.Var(&o.plainHTTP, "plain-http-registries", "Comma-separated list of image registries to access over plain HTTP. Can be repeated.")
	f.BoolVar(&o.allowLoopback, "allow-loopback-addresses", false, "Allow loopback addresses for sources, registries and issuers. For local runs only.")
	f.TextVar(&o.nodesOnDemand, "nodes-on-demand", collector.NodesOnDemandAuto, "Whether nodes are created on demand, so that preflight accepts apps that fit no existing node: Auto detects Karpenter and the Cluster Autoscaler, Always, or Never.")
	f.IntVar(&o.hydrations, "concurrent-hydrations", 8, "Maximum number of apps that are hydrated concurrently, shared fairly among namespaces.")
	f.IntVar(&o.installs, "concurrent-installs", 16, "Maximum number of concurrent Helm operations, shared fairly among namespaces.")
	f.DurationVar(&o.renderTime, "render-timeout", worker.DefaultTime, "Maximum CPU time of a render worker for one app.")
	f.Int64Var(&o.renderMemory, "render-memory", worker.DefaultMemory, "Maximum memory, in bytes, of a render worker for one app.")
	f.Int64Var(&o.memoryLimit, "memory-limit", 0, "Maximum memory, in bytes, of the operator and its render workers. 0 means no limit.")
	f.DurationVar(&o.scrub, "scrub-interval", 6*time.Hour, "Interval between integrity checks of published charts.")
	o.limits.addFlags(f)
	o.addresses.addFlags(f)
	if kubeconfig := flag.Lookup("kubeconfig"); kubeconfig != nil {
		f.Var(kubeconfig.Value, kubeconfig.Name, kubeconfig.Usage)
	}
	o.log.BindFlags(f)
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; run with --help for usage", f.Arg(0))
	}
	if o.connections < 1 {
		return nil, fmt.Errorf("--repository-connections: Invalid value: %d: must be at least 1", o.connections)
	}
	if err := errors.Join(o.checkMarkets(), o.addresses.checkPolicy(), o.store.validate()); err != nil {
		return nil, err
	}
	var err error
	o.renderWorkers, o.ownMemory, err = memoryShares(o.memoryLimit, o.renderMemory, runtime.GOMAXPROCS(0))
	return o, err
}
