package app

import (
	"flag"
	"fmt"
	"runtime"
	"time"

	"go.uber.org/zap/zapcore"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/worker"
)

// options are what the flags say.
type options struct {
	version bool
	log     zap.Options
	// given has the flags that were set.
	flags *flag.FlagSet

	metricsAddress        string
	metricsAuthentication bool
	probeAddress          string
	leaderElection        bool
	leaseNamespace        string

	storeDir          string
	repositoryAddress string
	repositoryURL     string
	repositoryCertDir string
	connections       int
	markets           stringList
	allowed           directories
	mirrors           stringMap
	plainHTTP         stringList
	allowLoopback     bool

	hydrations   int
	installs     int
	renderTime   time.Duration
	renderMemory int64
	memoryLimit  int64
	scrub        time.Duration
	limits       limits

	// renderWorkers and ownMemory follow from memoryLimit.
	renderWorkers int
	ownMemory     int64
}

func parseFlags(args []string) (*options, error) {
	// A line of the log says what happened; a stack is for a panic.
	o := &options{log: zap.Options{TimeEncoder: zapcore.RFC3339TimeEncoder, StacktraceLevel: zapcore.PanicLevel}}
	f := flag.NewFlagSet("appmarket", flag.ContinueOnError)
	o.flags = f
	f.BoolVar(&o.version, "version", false, "Print the version and exit.")
	f.StringVar(&o.metricsAddress, "metrics-bind-address", "127.0.0.1:8080", "Address of the metrics; 0 for none.")
	f.BoolVar(&o.metricsAuthentication, "metrics-authentication", false, "Serve the metrics by HTTPS, to accounts that may get the path /metrics.")
	f.StringVar(&o.probeAddress, "health-probe-bind-address", "127.0.0.1:8081", "Address of the probes /healthz and /readyz; 0 for none.")
	f.BoolVar(&o.leaderElection, "leader-elect", false, "Let only one of several replicas act.")
	f.StringVar(&o.leaseNamespace, "leader-election-namespace", "", "Namespace of the leader's lease; that of the pod if empty.")
	f.StringVar(&o.storeDir, "store-dir", "/var/lib/appmarket", "Folder that holds the published charts; it must exist.")
	f.StringVar(&o.repositoryAddress, "repository-bind-address", ":8879", "Address that the Helm repository is served on.")
	f.StringVar(&o.repositoryURL, "repository-url", "", "URL under which others reach the repository; http://localhost, or https://localhost with a certificate, with the port of the bind address if empty.")
	f.StringVar(&o.repositoryCertDir, "repository-cert-dir", "", "Folder with tls.crt and tls.key, by which the repository is served over HTTPS; plain HTTP if empty.")
	f.IntVar(&o.connections, "repository-connections", chartrepo.DefaultConnections, "How many connections the repository keeps at once; idle ones are closed for new ones.")
	f.Var(&o.markets, "market-namespaces", "Namespaces, separated by commas, whose sources may be shared with others, be of type Directory and reach private addresses, in the order of the joined index; none if empty.")
	f.Var(&o.allowed, "allowed-directories", "Folders, separated by commas, in which sources of type Directory may lie, each as namespace=path, or as path for every market; none if empty.")
	f.Var(&o.mirrors, "registry-mirror", "Where to ask instead of an image registry, as docker.io=http://mirror:5000; may be repeated.")
	f.Var(&o.plainHTTP, "plain-http-registries", "Image registries, separated by commas, that are asked by plain HTTP.")
	f.BoolVar(&o.allowLoopback, "allow-loopback-addresses", false, "Let sources, registries and issuers be at addresses of the machine itself; for local runs only.")
	f.IntVar(&o.hydrations, "concurrent-hydrations", 8, "How many apps are hydrated at once.")
	f.IntVar(&o.installs, "concurrent-installs", 16, "How many instances Helm works on at once, fair among namespaces.")
	f.DurationVar(&o.renderTime, "render-timeout", worker.DefaultTime, "The processor time that a worker may take for one app.")
	f.Int64Var(&o.renderMemory, "render-memory", worker.DefaultMemory, "Bytes that a worker may use for one app.")
	f.Int64Var(&o.memoryLimit, "memory-limit", 0, "Bytes that this program and the processes that render charts may use together; 0 for no limit.")
	f.DurationVar(&o.scrub, "scrub-interval", 6*time.Hour, "How often every published chart is compared with its digest.")
	o.limits.addFlags(f)
	if kubeconfig := flag.Lookup("kubeconfig"); kubeconfig != nil {
		f.Var(kubeconfig.Value, kubeconfig.Name, kubeconfig.Usage)
	}
	o.log.BindFlags(f)
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; see --help", f.Arg(0))
	}
	if o.connections < 1 {
		return nil, fmt.Errorf("--repository-connections is %d, and must be at least 1", o.connections)
	}
	if err := o.checkMarkets(); err != nil {
		return nil, err
	}
	var err error
	o.renderWorkers, o.ownMemory, err = memoryShares(o.memoryLimit, o.renderMemory, runtime.GOMAXPROCS(0))
	return o, err
}
