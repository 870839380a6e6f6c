package hydrate

import (
	"encoding/json"
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/audit"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/values"
)

// Revision is part of the inputs. Raise it when the steps produce a different result from
// the same inputs; every app is then hydrated again.
const Revision int32 = 9

// Request specifies the version of an app to hydrate, and the values and parameters to use.
type Request struct {
	Owner Owner
	App   string
	Offer Offer
	// Source fetches the chart.
	Source Fetcher
	// Policy specifies the signature that the chart must have. It is nil if signatures are not
	// verified.
	Policy *SignaturePolicy
	// AcceptedDigests are the digests of which the chart must have one, because the version was
	// published before. If empty, every digest is accepted.
	AcceptedDigests []string
	// PolicyDigest is the digest of the current policy for Inputs. Policy may be nil although it is
	// set.
	PolicyDigest string
	// Inspector inspects the images. If nil, the one of ImageAnalysis is used.
	Inspector Inspector
	// Profile and Platform supply the values with which the charts of the source are
	// rendered. Platform is merged over the values of the profile.
	Profile  Profile
	Platform map[string]any
	// At is the place where the app is installed. It is the zero value in hydration.
	At InstallTarget
	// Params are merged into values.yaml of the published chart.
	Params map[string]any
	// Audit contains the rules that are evaluated for the objects. It is nil if there is no audit.
	Audit *audit.Rules

	// Cluster, Lookup and Releases are set only for an installation. Releases maps the name
	// of each release to the revision that the installation creates. A release that is not
	// in the map is installed for the first time.
	Cluster  *Capabilities
	Lookup   Lookup
	Releases map[string]ReleaseRevision
}

// ReleaseRevision describes the revision of a release that an installation creates.
type ReleaseRevision struct {
	// Upgrade reports that the release has an earlier revision that was deployed.
	Upgrade bool
	// Number is Helm's revision number. Zero stands for the first revision.
	Number int
}

// Inputs are the digests of everything that determines the published result. If the inputs
// do not change, there is no work to do.
type Inputs struct {
	// Source is the digest in the offer, or a digest of the offer's URL and time if the
	// source does not give a digest.
	Source string
	// Platform and Params are the digests of the values of the request.
	Platform string
	Params   string
	// Rules is the digest of the rules of the audit, empty if there is no audit.
	Rules string
	// Revision is the constant Revision.
	Revision int32
	// Policy is the digest of the signature policy. It is empty if signatures are not verified.
	Policy string
}

// DigestInputs returns the digests of the request.
func (r Request) DigestInputs() (Inputs, error) {
	platform, err := digestOf(r.platformValues(nil))
	if err != nil {
		return Inputs{}, fmt.Errorf("digest platform values: %w", err)
	}
	params, err := digestOf(r.Params)
	if err != nil {
		return Inputs{}, fmt.Errorf("digest parameters: %w", err)
	}
	rules, err := r.Audit.Digest()
	if err != nil {
		return Inputs{}, err
	}
	source := r.Offer.Digest
	if source == "" {
		source = chart.Digest([]byte(r.Offer.URL + "\n" + r.Offer.Created.UTC().String()))
	}
	if r.Offer.Presentation != nil {
		presentation, err := json.Marshal(r.Offer.Presentation)
		if err != nil {
			return Inputs{}, fmt.Errorf("digest presentation: %w", err)
		}
		source = chart.Digest(append([]byte(source+"\n"), presentation...))
	}
	return Inputs{Source: source, Platform: platform, Params: params, Rules: rules, Revision: Revision, Policy: r.PolicyDigest}, nil
}

func digestOf(values map[string]any) (string, error) {
	text, err := json.Marshal(values)
	if err != nil {
		return "", err
	}
	return chart.Digest(text), nil
}

// platformValues returns the values with which a chart with this manifest is rendered, in
// addition to its own values.
func (r Request) platformValues(m *Manifest) map[string]any {
	return values.Overlay(r.Profile.Values(m, r.At), r.Platform)
}

// Draft is the state of an app between steps. The fields are grouped by the step that sets
// them; later steps may read them.
type Draft struct {
	Request Request

	// SourceChart.

	// Digest is the digest of the fetched chart in the form "sha256:<hex>", and Files are
	// its files, sorted by name. Files is set only in the process that parses the chart;
	// FileCount is set in both processes.
	Digest    string
	Files     []chart.File
	FileCount int
	// Chart is the content of Chart.yaml.
	Chart chart.Metadata
	// Verdict describes the verified signature. It is nil if signatures are not verified.
	Verdict *v1alpha1.SignatureVerdict
	// MissingDependencies are charts that must be fetched before the step can succeed.
	MissingDependencies []chart.Dependency

	// RenderedChart.

	// Manifest is the app manifest. It is nil for a plain Helm chart.
	Manifest *Manifest
	// License describes the terms of an app that must be purchased. It is nil for all other
	// apps.
	License *License
	// Inputs are the inputs from the app manifest or, if it has none, from the questions
	// and schemas of the charts. InputWarnings lists the parts of the questions and schemas
	// that could not be read, at most 20.
	Inputs        []inputs.Input
	InputWarnings []string
	// Translations are the title and the description in other languages. They are set only in
	// hydration.
	Translations []Translation
	// Units are the charts that are installed. There is at least one.
	Units []Unit

	// CustomParams.

	// Customized reports whether parameters were merged into Files.
	Customized bool
	// Clone describes where a second instance can be installed. It is nil if the app
	// manifest does not allow one, and if the app could not be rendered.
	Clone *CloneSafety

	// ImageAnalysis.

	// Images are the images of all units, sorted by name.
	Images []images.Image
	// Description describes what the objects of all units may do, request and require. It is nil
	// for a library chart, and if a unit could not be rendered.
	Description *objects.Description
	// Audit contains the findings of the rules. It is nil if there is no audit.
	Audit *audit.Report

	// RepoUpdate.

	// Archive is the chart to publish, and Reports are the texts that are published with
	// it.
	Archive []byte
	Reports map[string][]byte
	// Published contains the location of the published chart.
	Published Published

	// done is the number of completed steps. analyzed reports that a Worker has run all
	// code that parses the contents of the chart.
	done     int
	analyzed bool
}

// Unit is a chart that is installed as a separate release.
type Unit struct {
	// Name is the name of the chart. Dir is its folder in the app, empty for the main chart
	// of the app.
	Name string
	Dir  string
	// Values are the values with which it was rendered, in addition to values.yaml.
	Values map[string]any
	// Documents are the rendered documents, with the parameters merged in.
	Documents []objects.Document
	Objects   []objects.Object
	Notes     string
	// Unrendered is the reason why the chart does not render with these values but may
	// render with others. Documents is empty then. It is empty for a chart that renders.
	Unrendered string
	// Violation lists the values that violate a schema of the chart.
	Violation string
	// Warnings lists problems with the fields of objects, at most 10.
	Warnings []string
	// Release and Lookups have the same meaning as in Rendered.
	Release *ReleaseChart
	Lookups int
	// Services are the Services that the release creates in the namespace of the instance.
	Services []Service
}

// UnrenderedReason returns the reason why a chart unit cannot be rendered without values from the
// user. It returns "" if all units render.
func (d *Draft) UnrenderedReason() string {
	for _, u := range d.Units {
		if u.Unrendered != "" {
			return u.Unrendered
		}
	}
	return ""
}

// ListWarnings returns messages for users who install the app and for maintainers of the chart:
// missing values, problems with objects, and inputs that could not be read.
func (d *Draft) ListWarnings() []string {
	var all []string
	for _, u := range d.Units {
		if u.Unrendered != "" {
			all = append(all, u.Unrendered+"; set the value when you install the app. Its objects, images and permissions are unknown until then")
		}
		if u.Violation != "" {
			all = append(all, u.Violation+"; set other values when you install the app")
		}
		all = append(all, u.Warnings...)
	}
	return append(all, d.InputWarnings...)
}

// AllServices returns the Services of all units.
func (d *Draft) AllServices() []Service {
	var all []Service
	for _, u := range d.Units {
		all = append(all, u.Services...)
	}
	return all
}

// FindFile returns the content of a file of the app, and whether the file exists.
func (d *Draft) FindFile(name string) ([]byte, bool) { return chart.FindFile(d.Files, name) }

// AllDocuments returns the documents of all units.
func (d *Draft) AllDocuments() []objects.Document {
	var all []objects.Document
	for _, u := range d.Units {
		all = append(all, u.Documents...)
	}
	return all
}

// AllObjects returns the objects of all units.
func (d *Draft) AllObjects() []objects.Object {
	var all []objects.Object
	for _, u := range d.Units {
		all = append(all, u.Objects...)
	}
	return all
}
