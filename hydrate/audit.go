package hydrate

import (
	"strings"

	"github.com/appmarket/operator/internal/audit"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/text"
)

// licenseAnnotation is the annotation of Chart.yaml with the license of the chart.
const licenseAnnotation = "artifacthub.io/license"

// auditObjects evaluates the rules of the request. It returns nil if there are none. Platform values,
// which may be secret, are masked in findings.
func auditObjects(d *Draft, imageNames []string, described *objects.Description) (*audit.Report, error) {
	if d.Request.Audit == nil {
		return nil, nil
	}
	app := audit.App{
		Name: d.Chart.Name, Version: d.Chart.Version, AppVersion: d.Chart.AppVersion, Description: d.Chart.Description, Home: d.Chart.Home,
		Namespace: RenderNamespace, Images: imageNames, Keywords: d.Chart.Keywords, Annotations: d.Chart.Annotations,
		IsRendered: described != nil || d.isLibrary(),
	}
	if described != nil {
		app.Access = described.Access
	}
	if d.Manifest != nil {
		app.Licenses = d.Manifest.Licenses
	}
	if license := strings.TrimSpace(d.Chart.Annotations[licenseAnnotation]); license != "" {
		app.Licenses = append(app.Licenses[:len(app.Licenses):len(app.Licenses)], license)
	}
	report, err := audit.Evaluate(d.Request.Audit, d.AllDocuments(), app)
	if err != nil || len(d.Request.Platform) == 0 {
		return report, err
	}
	m := newMasker(d.Request.Platform)
	for i := range report.Findings {
		finding := &report.Findings[i]
		finding.Object = text.Printable(m.maskParts(finding.Object), 253)
		finding.Message = text.Printable(m.maskParts(finding.Message), maxDescribedBytes)
	}
	return report, nil
}
