package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// writerName is the field manager of all writes.
const writerName = "kubectl-market"

// suffixLength is the length of the random end of the names of tasks.
const suffixLength = 5

// Factory provides the commands with what is outside of them: the cluster of the flags, the streams,
// the terminal, the time and random names.
type Factory struct {
	Streams genericiooptions.IOStreams
	// Name is the name of the program in usage texts and hints, such as "kubectl market".
	Name string
	// Version is the version of the program.
	Version string
	// Terminal asks questions. It is nil if the input is not a terminal.
	Terminal Terminal
	// Screen shows the state of what is watched. It is nil if the output is not a terminal.
	Screen Screen
	// Now returns the time. Suffix returns the end of the name of a task.
	Now    func() time.Time
	Suffix func() string
	// CompletionTimeout limits the requests of a completion. After it, nothing is completed.
	CompletionTimeout time.Duration

	flags *genericclioptions.ConfigFlags
	// market is the namespace of the sources, "" for all namespaces.
	market string
	// color is the value of the flag --color.
	color string
}

// Terminal asks the user questions.
type Terminal interface {
	// ReadLine prints a question and returns the line that the user types.
	ReadLine(question string) (string, error)
	// ReadPassword is ReadLine without showing what the user types.
	ReadPassword(question string) (string, error)
}

// Screen shows lines that replace the lines that it showed before.
type Screen interface {
	Show(lines []string) error
}

// NewFactory returns a factory for a program with the given name and version.
func NewFactory(streams genericiooptions.IOStreams, name, version string) *Factory {
	f := &Factory{
		Streams: streams, Name: name, Version: version, Now: time.Now,
		Suffix:            func() string { return rand.String(suffixLength) },
		CompletionTimeout: 300 * time.Millisecond,
		flags:             genericclioptions.NewConfigFlags(true),
	}
	f.flags.WrapConfigFn = func(config *rest.Config) *rest.Config {
		config.UserAgent = fmt.Sprintf("%s/%s (%s/%s)", writerName, version, runtime.GOOS, runtime.GOARCH)
		config.WarningHandler = rest.NewWarningWriter(streams.ErrOut, rest.WarningWriterOptions{Deduplicate: true})
		return config
	}
	return f
}

// namespaceName returns the namespace of the flags or of the kubeconfig.
func (f *Factory) namespaceName() (string, error) {
	namespace, _, err := f.flags.ToRawKubeConfigLoader().Namespace()
	return namespace, err
}

// newScheme returns a scheme with the kinds that the plugin reads and writes.
func newScheme() (*kruntime.Scheme, error) {
	scheme := kruntime.NewScheme()
	return scheme, errors.Join(authenticationv1.AddToScheme(scheme), corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme))
}

// newMapper returns the resources of the kinds that the plugin reads and writes, so that no command
// has to ask the API server for them.
func newMapper() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{v1alpha1.GroupVersion, corev1.SchemeGroupVersion})
	for _, kind := range []string{"MarketSource", "AppInfo", "AppInstance", "AppInstallTask"} {
		mapper.Add(v1alpha1.GroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	for _, kind := range []string{"Secret", "Event", "Pod", "Service", "ServiceAccount"} {
		mapper.Add(corev1.SchemeGroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Namespace"), meta.RESTScopeRoot)
	return mapper
}

// newClient returns a client for the cluster of the flags.
func (f *Factory) newClient() (client.WithWatch, error) {
	config, err := f.flags.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	return client.NewWithWatch(config, client.Options{Scheme: scheme, Mapper: newMapper(), FieldOwner: writerName})
}

// connect returns a client and the namespace of the flags.
func (f *Factory) connect() (client.WithWatch, string, error) {
	namespace, err := f.namespaceName()
	if err != nil {
		return nil, "", err
	}
	c, err := f.newClient()
	return c, namespace, err
}

// getInstance reads an instance.
func getInstance(ctx context.Context, c client.Client, namespace, name string) (*v1alpha1.AppInstance, error) {
	instance := &v1alpha1.AppInstance{}
	return instance, c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, instance)
}

// getTask reads a task.
func getTask(ctx context.Context, c client.Client, namespace, name string) (*v1alpha1.AppInstallTask, error) {
	task := &v1alpha1.AppInstallTask{}
	return task, c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, task)
}

// printResult prints a line of the result.
func (f *Factory) printResult(format string, arguments ...any) {
	fmt.Fprintf(f.Streams.Out, format+"\n", arguments...)
}

// printHint prints a command that the user can copy, to the stream for progress.
func (f *Factory) printHint(hint string) { writeHint(f.Streams.ErrOut, hint) }

func writeHint(out io.Writer, hint string) { fmt.Fprintf(out, "hint: %s\n", hint) }

// ProgramName returns the name of the program in usage texts, from the path with which it was run:
// kubectl-market is run as kubectl market.
func ProgramName(path string) string {
	name := strings.TrimSuffix(filepath.Base(path), ".exe")
	if plugin, found := strings.CutPrefix(name, "kubectl-"); found {
		return "kubectl " + plugin
	}
	return name
}
