package hydrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
)

// dependencyTimeout is the time limit for fetching all dependencies of an app.
const dependencyTimeout = 5 * time.Minute

// DependencyFetcher is implemented by a Fetcher that can also fetch the charts that an app
// depends on, from the source of the app and from the repositories that the app names. It
// returns one chart for each dependency, of at most maxBytes in total. Errors have the same
// meaning as the errors of Fetcher, and name the dependency.
type DependencyFetcher interface {
	FetchDependencies(ctx context.Context, wanted []chart.Dependency, maxBytes int) ([]chart.FetchedDependency, error)
}

// analyzeWithDependencies has a worker analyze a chart. If the chart lacks dependencies, it
// fetches them and has the chart analyzed again, because the worker has no network and must not
// wait for a repository. Only a dependency that lacks its own dependencies requires another
// round.
func analyzeWithDependencies(ctx context.Context, worker Worker, request Request, payload ChartContent) (*Draft, map[Name]time.Duration, error) {
	total := map[Name]time.Duration{}
	fetching, cancel := context.WithTimeout(ctx, dependencyTimeout)
	defer cancel()
	for {
		d, took, err := worker.Analyze(ctx, request, payload)
		for step, duration := range took {
			total[step] += duration
		}
		fetcher, canFetch := request.Source.(DependencyFetcher)
		canFetch = canFetch && request.Policy == nil // No signature covers what is fetched.
		if err == nil || d == nil || len(d.MissingDependencies) == 0 || !canFetch {
			return d, total, err
		}
		began := time.Now()
		fetched, err := fetchDependencies(fetching, fetcher, d.MissingDependencies, payload.Dependencies)
		total[StepSourceChart] += time.Since(began)
		if err != nil {
			return d, total, &StepError{Step: StepSourceChart, Err: err}
		}
		payload.Dependencies = append(slices.Clone(payload.Dependencies), fetched...)
	}
}

// fetchDependencies fetches dependencies in addition to those that were fetched before.
func fetchDependencies(
	ctx context.Context, fetcher DependencyFetcher, wanted []chart.Dependency, before []chart.FetchedDependency,
) ([]chart.FetchedDependency, error) {
	if count := len(wanted) + len(before); count > chart.MaxDependencies {
		return nil, outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "the chart has %d dependencies, at most %d are allowed", count, chart.MaxDependencies)
	}
	left := chart.MaxArchiveBytes
	for _, each := range before {
		left -= each.Size()
		if slices.Contains(wanted, each.For) { // The worker always uses what was fetched.
			return nil, fmt.Errorf("%s was fetched and is still missing", each.For)
		}
	}
	var fetched []chart.FetchedDependency
	err := AwaitServers(ctx, func(ctx context.Context) (err error) {
		fetched, err = fetcher.FetchDependencies(ctx, wanted, left)
		return err
	})
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, outcome.Failed(v1alpha1.ReasonFetchFailed, fmt.Errorf("dependencies were not fetched within %s: %w", dependencyTimeout, err))
	}
	return fetched, err
}

// addDependencies returns the files of an app with the charts that it depends on. If charts are
// missing, it sets MissingDependencies and returns an error that names them.
func (d *Draft) addDependencies(files []chart.File, fetched []chart.FetchedDependency) ([]chart.File, error) {
	vendoring := chart.Vendoring{Base: d.Request.Offer.URL, Fetched: fetched}
	if _, isOlares := chart.FindFile(files, ManifestFile); isOlares {
		vendoring.Dirs = chartFolders(files)
	}
	complete, missing, err := vendoring.AddDependencies(files)
	if err != nil {
		return nil, err
	}
	if d.MissingDependencies = missing; len(missing) == 0 {
		return complete, nil
	}
	names := make([]string, len(missing))
	for i, each := range missing {
		names[i] = each.String()
	}
	if d.Request.Policy != nil {
		return nil, outcome.Stalledf(v1alpha1.ReasonSignatureInvalid,
			"the signature does not cover dependencies that are not in the folder charts: %s; run helm dependency build before you package and sign the chart",
			strings.Join(names, ", "))
	}
	return nil, outcome.Stalledf(v1alpha1.ReasonNotFound, "not in the folder charts, and the source cannot fetch them: %s", strings.Join(names, ", "))
}

// chartFolders returns the top-level folders that are charts, which the app manifest may name as
// units.
func chartFolders(files []chart.File) []string {
	var dirs []string
	for _, f := range files {
		dir, file, below := strings.Cut(f.Name, "/")
		if below && file == chart.MetadataFile {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}
