// Package hydration runs the five hydration steps for one chart without a cluster, and prints the result of each
// step. It is for authors of charts, and for finding out why a market rejects a chart.
package hydration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

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

// WorkerCommand is the argument with which the program serves as the render worker of another process.
const WorkerCommand = "render-worker"

// ServeWorker serves requests of another process of this program until its input ends.
func ServeWorker(in io.Reader, out io.Writer) error { return worker.Serve(in, out) }

// Options specify what is hydrated, and how.
type Options struct {
	// Chart is a directory or an archive (.tgz).
	Chart string
	// Values is a file with values for rendering. They override the values of the profile.
	Values string
	// Params is a file with parameters that are merged into values.yaml.
	Params string
	// Profile is the platform profile, Helm or Olares in any case. If it is empty, it is Olares for a chart with an
	// Olares manifest, and Helm for other charts.
	Profile string
	// Out is the directory to which the published chart is written. If it is empty, the chart is not kept.
	Out string
	// RegistryMirrors contains the URL of the mirror of each registry.
	RegistryMirrors map[string]string
}

// Run hydrates the chart and prints the result of each step. It returns an error if a step fails.
func Run(ctx context.Context, o Options, out io.Writer) (err error) {
	request, err := newRequest(ctx, o)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find executable: %w", err)
	}
	folder, err := os.MkdirTemp("", "hydrate-")
	if err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	store, err := chartrepo.Open(folder, chartrepo.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	workers := &worker.Pool{Command: []string{self, WorkerCommand}, Workers: 1}
	defer workers.Close()
	observer := printer{out}
	steps, err := newSteps(o, workers, store, observer)
	if err != nil {
		return err
	}
	draft := &hydrate.Draft{Request: request}
	err = hydrate.Pipeline{Steps: steps, Observer: observer}.Run(ctx, draft)
	printDraft(out, draft)
	if err != nil {
		return fmt.Errorf("step %s failed", hydrate.FailedStep(err, hydrate.StepSourceChart))
	}
	if o.Out == "" {
		return nil
	}
	file, err := saveChart(store, draft.Published, o.Out)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nwritten to %s\n", file)
	return nil
}

func newRequest(ctx context.Context, o Options) (hydrate.Request, error) {
	profile, err := parseProfile(o.Profile)
	if err != nil {
		return hydrate.Request{}, err
	}
	fetcher, offer, err := openChart(o.Chart)
	if err != nil {
		return hydrate.Request{}, err
	}
	files, err := readFiles(ctx, fetcher, offer)
	if err != nil {
		return hydrate.Request{}, fmt.Errorf("read %s: %w", o.Chart, err)
	}
	meta, err := chart.ReadMetadata(files)
	if err != nil {
		return hydrate.Request{}, fmt.Errorf("read %s: %w", o.Chart, err)
	}
	if profile == nil {
		profile = profileOf(files)
	}
	offer.Version = meta.Version
	request := hydrate.Request{
		Owner: hydrate.Owner{Namespace: "local", Source: "local"},
		App:   meta.Name, Offer: offer, Source: fetcher, Profile: profile,
	}
	if request.Platform, err = readValues(o.Values); err != nil {
		return hydrate.Request{}, err
	}
	request.Params, err = readValues(o.Params)
	return request, err
}

// parseProfile returns the profile with a name in any case, nil for an empty name.
func parseProfile(name string) (hydrate.Profile, error) {
	switch strings.ToLower(name) {
	case "":
		return nil, nil
	case "helm":
		return olares.HelmProfile{}, nil
	case "olares":
		return olares.Profile{}, nil
	}
	return nil, fmt.Errorf("--profile: Unsupported value: %q: supported values: Helm, Olares", name)
}

// profileOf returns the profile for a chart with these files.
func profileOf(files []chart.File) hydrate.Profile {
	if _, isOlares := chart.FindFile(files, hydrate.ManifestFile); isOlares {
		return olares.Profile{}
	}
	return olares.HelmProfile{}
}

// openChart returns a fetcher and an offer of a local chart, as a source of type Directory does.
func openChart(chart string) (hydrate.Fetcher, hydrate.Offer, error) {
	file, err := filepath.Abs(chart)
	if err != nil {
		return nil, hydrate.Offer{}, fmt.Errorf("find %s: %w", chart, err)
	}
	switch about, err := os.Stat(file); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, hydrate.Offer{}, fmt.Errorf("chart %s not found", chart)
	case err != nil:
		return nil, hydrate.Offer{}, fmt.Errorf("open %s: %w", chart, err)
	case !about.IsDir() && !strings.HasSuffix(file, ".tgz"):
		return nil, hydrate.Offer{}, fmt.Errorf("chart %s must be a directory or an archive (.tgz)", chart)
	}
	folder := filepath.Dir(file)
	from, err := source.Open(source.Config{Directory: &source.DirectoryConfig{Path: folder, AllowedRoots: []string{folder}}})
	return from, hydrate.Offer{URL: filepath.Base(file)}, err
}

// readFiles returns the files of a chart.
func readFiles(ctx context.Context, source hydrate.Fetcher, offer hydrate.Offer) ([]chart.File, error) {
	payload, err := source.Fetch(ctx, offer)
	if err != nil || payload.Archive == nil {
		return payload.Files, err
	}
	return chart.Unpack(payload.Archive)
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

// maxPerRegistry is the maximum number of images that are looked up in one registry at a time.
const maxPerRegistry = 4

// NewUserInspector returns an inspector that looks up images with the docker config of the user of this program.
func NewUserInspector() (hydrate.Inspector, error) {
	inspector, err := registry.New(registry.Options{
		// The user of this program can reach these addresses without it.
		UserCredentials: true, Network: netguard.Policy{Loopback: true, Private: true},
	})
	if err != nil {
		return nil, err
	}
	return registry.Limited(registry.Guarded(inspector, registryPause), maxPerRegistry), nil
}

// newSteps returns the steps of the operator, which publish to a store.
func newSteps(o Options, workers *worker.Pool, store *chartrepo.Store, observer hydrate.Observer) ([]hydrate.Step, error) {
	inspector, err := registry.New(registry.Options{
		// The user of this program can reach these addresses without it.
		Mirrors: o.RegistryMirrors, Network: netguard.Policy{Loopback: true, Private: true},
	})
	if err != nil {
		return nil, err
	}
	return []hydrate.Step{
		hydrate.Analysis{Worker: workers, Observer: observer},
		hydrate.ImageAnalysis{Inspector: registry.Guarded(inspector, registryPause)},
		hydrate.RepoUpdate{Publisher: store},
	}, nil
}

// saveChart writes the published chart to a directory, with the name that helm package gives it. It returns the name
// of the file.
func saveChart(store *chartrepo.Store, published hydrate.Published, directory string) (string, error) {
	archive, err := store.Archive(published.Digest)
	if err != nil {
		return "", fmt.Errorf("read published chart: %w", err)
	}
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return "", fmt.Errorf("create directory: %w", err)
	}
	file := filepath.Join(directory, path.Base(published.Chart))
	if err := os.WriteFile(file, archive, 0o644); err != nil {
		return "", fmt.Errorf("save chart: %w", err)
	}
	return file, nil
}
