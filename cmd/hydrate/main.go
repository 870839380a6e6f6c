// Command hydrate runs the five hydration steps for one chart without a cluster, and
// prints the result of each step. It is for chart authors, and for finding out why a
// market rejects a chart.
//
//	hydrate [--values FILE] [--params FILE] [--profile Olares|Helm] [--out DIR] CHART
//
// CHART is a folder or an archive. The exit code is 1 if a step fails.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/registry"
	"github.com/appmarket/operator/internal/source"
	"github.com/appmarket/operator/internal/values"
	"github.com/appmarket/operator/internal/worker"
)

// renderWorker is the argument that makes this program a render worker of another process.
const renderWorker = "render-worker"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "hydrate:", err)
		os.Exit(1)
	}
}

type options struct {
	chart, values, params, profile, out, mirror string
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 1 && args[0] == renderWorker {
		return worker.Serve(os.Stdin, os.Stdout)
	}
	var o options
	f := flag.NewFlagSet("hydrate", flag.ContinueOnError)
	f.StringVar(&o.values, "values", "", "File with values for rendering, which override the values of the profile.")
	f.StringVar(&o.params, "params", "", "File with parameters that are merged into values.yaml.")
	f.StringVar(&o.profile, "profile", "Olares", "Platform profile, Olares or Helm.")
	f.StringVar(&o.out, "out", "", "Directory for the published chart. If empty, the chart is not kept.")
	f.StringVar(&o.mirror, "registry-mirror", "", "Registry mirror in the form <registry>=<url>, for example docker.io=http://mirror:5000.")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() != 1 {
		return errors.New("usage: hydrate [flags] CHART; CHART is a directory or an archive (.tgz)")
	}
	o.chart = f.Arg(0)
	return hydrateChart(ctx, o, out)
}

func hydrateChart(ctx context.Context, o options, out io.Writer) error {
	request, err := newRequest(ctx, o)
	if err != nil {
		return err
	}
	observer := printer{out}
	steps, done, err := newSteps(o, observer)
	if err != nil {
		return err
	}
	defer done()
	draft := &hydrate.Draft{Request: request}
	err = hydrate.Pipeline{Steps: steps, Observer: observer}.Run(ctx, draft)
	printDraft(out, draft)
	if err != nil {
		return fmt.Errorf("step %s failed", hydrate.FailedStep(err, hydrate.StepSourceChart))
	}
	return nil
}

func newRequest(ctx context.Context, o options) (hydrate.Request, error) {
	profiles := map[string]hydrate.Profile{"Olares": olares.Profile{}, "Helm": olares.HelmProfile{}}
	profile, ok := profiles[o.profile]
	if !ok {
		return hydrate.Request{}, fmt.Errorf("--profile: Unsupported value: %q: supported values: Olares, Helm", o.profile)
	}
	fetcher, offer, err := local(o.chart)
	if err != nil {
		return hydrate.Request{}, err
	}
	meta, err := metadata(ctx, fetcher, offer)
	if err != nil {
		return hydrate.Request{}, fmt.Errorf("read %s: %w", o.chart, err)
	}
	offer.Version = meta.Version
	request := hydrate.Request{
		Owner: hydrate.Owner{Namespace: "local", Source: "local"},
		App:   meta.Name, Offer: offer, Source: fetcher, Profile: profile,
	}
	if request.Platform, err = readValues(o.values); err != nil {
		return hydrate.Request{}, err
	}
	request.Params, err = readValues(o.params)
	return request, err
}

// local returns a fetcher and an offer of a local chart, as a source of type Directory does.
func local(chart string) (hydrate.Fetcher, hydrate.Offer, error) {
	path, err := filepath.Abs(chart)
	if err != nil {
		return nil, hydrate.Offer{}, fmt.Errorf("find %s: %w", chart, err)
	}
	switch about, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, hydrate.Offer{}, fmt.Errorf("chart %s not found", chart)
	case err != nil:
		return nil, hydrate.Offer{}, fmt.Errorf("open %s: %w", chart, err)
	case !about.IsDir() && !strings.HasSuffix(path, ".tgz"):
		return nil, hydrate.Offer{}, fmt.Errorf("chart %s must be a directory or an archive (.tgz)", chart)
	}
	folder := filepath.Dir(path)
	from, err := source.Open(source.Config{Directory: &source.DirectoryConfig{Path: folder, AllowedRoots: []string{folder}}})
	return from, hydrate.Offer{URL: filepath.Base(path)}, err
}

func metadata(ctx context.Context, from hydrate.Fetcher, offer hydrate.Offer) (chart.Metadata, error) {
	payload, err := from.Fetch(ctx, offer)
	if err != nil {
		return chart.Metadata{}, err
	}
	files := payload.Files
	if payload.Archive != nil {
		if files, err = chart.Unpack(payload.Archive); err != nil {
			return chart.Metadata{}, err
		}
	}
	return chart.ReadMetadata(files)
}

func readValues(file string) (map[string]any, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("file %s not found", file)
	}
	if err != nil {
		return nil, fmt.Errorf("read values: %w", err)
	}
	values, err := values.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", file, err)
	}
	return values, nil
}

// newSteps returns the steps of the operator, and a function that stops the workers and removes
// temporary files.
func newSteps(o options, observer hydrate.Observer) ([]hydrate.Step, func(), error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("find executable: %w", err)
	}
	var mirrors map[string]string
	if name, url, found := strings.Cut(o.mirror, "="); found {
		mirrors = map[string]string{name: url}
	}
	inspector, err := registry.New(registry.Options{
		// The user of this program can reach these addresses without it.
		Mirrors: mirrors, Network: netguard.Policy{Loopback: true, Private: true},
	})
	if err != nil {
		return nil, nil, err
	}
	dir, remove, err := folder(o.out)
	if err != nil {
		return nil, nil, err
	}
	store, err := chartrepo.Open(dir, chartrepo.Options{})
	if err != nil {
		remove()
		return nil, nil, err
	}
	workers := &worker.Pool{Command: []string{self, renderWorker}, Workers: 1}
	done := func() {
		workers.Close()
		if err := store.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "hydrate: close store:", err)
		}
		remove()
	}
	return []hydrate.Step{
		hydrate.Analysis{Worker: workers, Observer: observer},
		hydrate.ImageAnalysis{Inspector: registry.Guarded(inspector, registryPause)},
		hydrate.RepoUpdate{Publisher: store},
	}, done, nil
}

// folder returns the folder to publish to, and a function that removes it if it is temporary.
func folder(out string) (string, func(), error) {
	if out != "" {
		if err := os.MkdirAll(out, 0o755); err != nil {
			return "", nil, fmt.Errorf("create directory: %w", err)
		}
		return out, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "hydrate-")
	if err != nil {
		return "", nil, fmt.Errorf("create directory: %w", err)
	}
	return dir, func() {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, "hydrate: remove directory:", err)
		}
	}, nil
}
