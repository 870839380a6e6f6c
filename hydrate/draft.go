package hydrate

import (
	"encoding/json"
	"fmt"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/values"
)

// Revision is part of the inputs: raise it when the steps begin to make something
// else of the same inputs, and everything is hydrated again.
const Revision int32 = 5

// Request says what to hydrate: one version of an app, and what it is rendered
// and customised with.
type Request struct {
	Owner Owner
	App   string
	Offer Offer
	// Source brings the chart.
	Source Fetcher
	// Profile and Platform are what the charts of the source are rendered with;
	// Platform is merged over the profile.
	Profile  Profile
	Platform map[string]any
	// At is where the app is installed, zero in hydration.
	At Place
	// Params are merged into values.yaml.
	Params map[string]any

	// Cluster, Lookup and Releases are those of an installation, unset in hydration.
	// Releases are the revisions to be, by the names of the releases; one that is
	// missing is installed.
	Cluster  *Capabilities
	Lookup   Lookup
	Releases map[string]ReleaseRevision
}

// ReleaseRevision is the revision of a release that is to be made.
type ReleaseRevision struct {
	// Upgrade says that one before it was deployed.
	Upgrade bool
	// Number is Helm's; zero stands for the first.
	Number int
}

// Inputs are the digests of everything that decides what is published; equal
// inputs need no work. They are the key of the work.
type Inputs struct {
	// Source is the digest that the source gives for the offer. Where it gives
	// none, the address and the time of the offer stand in for it.
	Source string
	// Platform and Params are over the values of the request.
	Platform string
	Params   string
	// Revision is that of the steps.
	Revision int32
}

// Inputs digests the request.
func (r Request) Inputs() (Inputs, error) {
	platform, err := digestOf(r.platform(nil))
	if err != nil {
		return Inputs{}, fmt.Errorf("digest platform values: %w", err)
	}
	params, err := digestOf(r.Params)
	if err != nil {
		return Inputs{}, fmt.Errorf("digest parameters: %w", err)
	}
	source := r.Offer.Digest
	if source == "" {
		source = chart.Digest([]byte(r.Offer.URL + "\n" + r.Offer.Created.UTC().String()))
	}
	return Inputs{Source: source, Platform: platform, Params: params, Revision: Revision}, nil
}

func digestOf(values map[string]any) (string, error) {
	text, err := json.Marshal(values)
	if err != nil {
		return "", err
	}
	return chart.Digest(text), nil
}

// platform is what a chart with this manifest is rendered with, beside its own
// values.
func (r Request) platform(m *Manifest) map[string]any {
	return values.Overlay(r.Profile.Values(m, r.At), r.Platform)
}

// Draft is an app on its way through the steps. Each field says which step sets
// it; the steps after that one may read it.
type Draft struct {
	Request Request

	// SourceChart.

	// Digest is "sha256:<hex>" of what the source delivered, and Files its content
	// in the order of their names. Only who reads the bytes of the chart has the files;
	// FileCount is known to all.
	Digest    string
	Files     []chart.File
	FileCount int
	// Chart is Chart.yaml.
	Chart chart.Metadata

	// RenderedChart.

	// Manifest is the app manifest, nil for a plain chart.
	Manifest *Manifest
	// License are the terms of an app that must be bought, else nil.
	License *License
	// Inputs are what the app asks of the person who installs it, by its manifest
	// or otherwise by the questions and schemas of its charts; InputWarnings are
	// what of these was not understood, at most 20.
	Inputs        []inputs.Input
	InputWarnings []string
	// Units are the charts that are installed, at least one.
	Units []Unit

	// CustomParams.

	// Customized says that the parameters changed Files.
	Customized bool
	// Clone says whether a second instance can live beside the first. It is nil for
	// an app whose manifest does not allow a second one, and where it is not known what
	// the app renders to.
	Clone *CloneSafety

	// ImageAnalysis.

	// Images are those of all units, by name.
	Images []images.Image

	// RepoUpdate.

	// Archive is the chart to be published, and Reports are the texts beside it.
	Archive []byte
	Reports map[string][]byte
	// Published says where the chart can be had.
	Published Published

	// done counts the steps that this draft has behind it; analyzed says that a Worker
	// has done what reads the bytes of the chart.
	done     int
	analyzed bool
}

// Unit is a chart that becomes a release of its own.
type Unit struct {
	// Name is that of the chart; Dir is its folder in the app, empty for the app's
	// own chart.
	Name string
	Dir  string
	// Values are what it was rendered with, beside its own values.yaml.
	Values map[string]any
	// Documents are what it rendered to, with the parameters merged in.
	Documents []objects.Document
	Objects   []objects.Object
	Notes     string
	// Unrendered says why the chart does not render with these values, and may with
	// others; the documents are not known then. It is empty for a chart that renders.
	Unrendered string
	// Violation says which of these values do not meet a schema of the chart.
	Violation string
	// Warnings are what is wrong with the form of the objects, at most 10.
	Warnings []string
	// Release and Lookups are as in Rendered.
	Release *ReleaseChart
	Lookups int
	// Services are those that its release makes in the namespace of the instance.
	Services []Service
}

// Unrendered says why a chart unit does not render without the values that only its
// user knows, empty if all units render.
func (d *Draft) Unrendered() string {
	for _, u := range d.Units {
		if u.Unrendered != "" {
			return u.Unrendered
		}
	}
	return ""
}

// Warnings are what whoever installs the app, or maintains its chart, should know:
// what its own values lack, what is wrong with its objects, and which inputs were not
// understood.
func (d *Draft) Warnings() []string {
	var all []string
	for _, u := range d.Units {
		if u.Unrendered != "" {
			all = append(all, u.Unrendered+"; give the value when you install the app. Its objects, images and permissions are not known until then")
		}
		if u.Violation != "" {
			all = append(all, u.Violation+"; give other values when you install the app")
		}
		all = append(all, u.Warnings...)
	}
	return append(all, d.InputWarnings...)
}

// Services are those of all units.
func (d *Draft) Services() []Service {
	var all []Service
	for _, u := range d.Units {
		all = append(all, u.Services...)
	}
	return all
}

// File returns the content of a file of the app, and whether it is there.
func (d *Draft) File(name string) ([]byte, bool) { return chart.FindFile(d.Files, name) }

// Documents are those of all units.
func (d *Draft) Documents() []objects.Document {
	var all []objects.Document
	for _, u := range d.Units {
		all = append(all, u.Documents...)
	}
	return all
}

// Objects are those of all units.
func (d *Draft) Objects() []objects.Object {
	var all []objects.Object
	for _, u := range d.Units {
		all = append(all, u.Objects...)
	}
	return all
}
