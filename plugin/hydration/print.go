package hydration

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/text"
)

// registryPause is how long a registry that did not respond is not asked again: the rest of the
// run.
const registryPause = time.Hour

// printer prints the result of each step.
type printer struct{ out io.Writer }

// StepDone prints the result of one step.
func (p printer) StepDone(d *hydrate.Draft, step hydrate.Name, took time.Duration, err error) {
	mark, said := "ok    ", formatResult(d, step)
	if err != nil {
		mark, said = "failed", err.Error()
	}
	fmt.Fprintf(p.out, "%s  %-13s  %5d ms  %s\n", mark, step, took.Milliseconds(), said)
}

func formatResult(d *hydrate.Draft, step hydrate.Name) string {
	switch step {
	case hydrate.StepSourceChart:
		return fmt.Sprintf("%s %s, %s, %s", d.Chart.Name, d.Chart.Version, text.Count(d.FileCount, "file", "files"), d.Digest)
	case hydrate.StepRenderedChart:
		return text.Count(len(d.AllObjects()), "object", "objects") + ", " + text.Count(len(d.Units), "release", "releases")
	case hydrate.StepCustomParams:
		if d.Customized {
			return "parameters merged"
		}
		return "no parameters"
	case hydrate.StepImageAnalysis:
		return text.Count(len(d.Images), "image", "images")
	case hydrate.StepRepoUpdate:
		return path.Base(d.Published.Chart) + ", " + d.Published.Digest
	}
	return ""
}

// printDraft prints the images, required inputs and warnings of the app, as far as the completed
// steps found them.
func printDraft(out io.Writer, d *hydrate.Draft) {
	if len(d.Images) > 0 {
		fmt.Fprintln(out, "\nimages:")
	}
	for _, i := range d.Images {
		fmt.Fprintf(out, "  %s  %s\n", i.Name, formatDetail(i))
	}
	_, wrong := inputs.CheckInputs(d.Inputs, nil, nil)
	if len(wrong) > 0 {
		fmt.Fprintln(out, "\nrequired inputs:")
	}
	for _, w := range wrong {
		fmt.Fprintf(out, "  %s (%s)  %s\n", w.Input.Name, w.Input.Type, cmp.Or(w.Input.Description, w.Input.Title))
	}
	warnings := d.ListWarnings()
	if d.Manifest != nil {
		warnings = append(warnings, d.Manifest.Warnings...)
	}
	if len(warnings) > 0 {
		fmt.Fprintln(out, "\nwarnings:")
	}
	for _, w := range warnings {
		fmt.Fprintf(out, "  %s\n", w)
	}
}

func formatDetail(i images.Image) string {
	if i.Detail == nil {
		return "not inspected: " + i.Problem
	}
	var builds []string
	for _, p := range i.Detail.Platforms {
		builds = append(builds, fmt.Sprintf("%s/%s %.1f MB in %s", p.OS, p.Architecture, float64(p.Size)/1e6, text.Count(p.Layers, "layer", "layers")))
	}
	return i.Detail.Digest + "  " + strings.Join(builds, ", ")
}
