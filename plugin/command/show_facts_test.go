package command

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

func TestFactsOfAnApp(t *testing.T) {
	g := NewWithT(t)
	g.Expect(footprintText(nil)).To(BeEmpty())
	g.Expect(footprintText(&v1alpha1.AppFootprint{CPU: "500m", Storage: "1Gi"})).To(Equal("CPU 500m, storage 1Gi"))
	g.Expect(accessText(nil)).To(BeEmpty())
	g.Expect(accessText(&v1alpha1.AppAccess{Scope: v1alpha1.AccessNamespace})).To(Equal("own namespace only"))
	g.Expect(accessText(&v1alpha1.AppAccess{Scope: v1alpha1.AccessCluster, Rules: 2, CRDs: 1, Privileged: true, HostPath: true, HostNetwork: true})).
		To(Equal("outside its namespace, too, 2 permissions, 1 CRD, privileged containers, directories of nodes, the network of nodes"))
	g.Expect(placementText(nil)).To(BeEmpty())
	g.Expect(placementText(&v1alpha1.AppPlacement{Verdict: v1alpha1.PlacementYes})).To(Equal("yes"))
	g.Expect(placementText(&v1alpha1.AppPlacement{Verdict: v1alpha1.PlacementNo, Reasons: []string{"a", "b"}})).To(Equal("no: a; b"))
}

func TestSignatureOfAnApp(t *testing.T) {
	g := NewWithT(t)
	app := &v1alpha1.AppInfo{Status: v1alpha1.AppInfoStatus{SelectedVersion: "2.0.0", Versions: []v1alpha1.PublishedVersion{
		{Version: "2.0.0"},
		{Version: "1.0.0", Verification: &v1alpha1.SignatureVerdict{Provider: v1alpha1.VerificationProviderHelmProvenance, Identity: "ABCD"}},
	}}}
	g.Expect(signatureText(app)).To(BeEmpty(), "the selected version is not verified")
	app.Status.SelectedVersion = "1.0.0"
	g.Expect(signatureText(app)).To(Equal("verified with HelmProvenance, signed by ABCD"))
	app.Status.Versions[0].Verification = &v1alpha1.SignatureVerdict{
		Provider: v1alpha1.VerificationProviderCosign, Identity: "release@example.com", Issuer: "https://issuer.example.com"}
	app.Status.SelectedVersion = "2.0.0"
	g.Expect(signatureText(app)).To(Equal("verified with Cosign, signed by release@example.com, confirmed by https://issuer.example.com"))
}

func TestSearchForAppsThatRunHere(t *testing.T) {
	g := NewWithT(t)
	s := searchFlags{runsHere: true}
	verdict := func(p *v1alpha1.AppPlacement) *v1alpha1.AppInfo {
		return &v1alpha1.AppInfo{Status: v1alpha1.AppInfoStatus{Placement: p}}
	}
	g.Expect(s.matches(verdict(nil), "")).To(BeFalse())
	g.Expect(s.matches(verdict(&v1alpha1.AppPlacement{Verdict: v1alpha1.PlacementNo}), "")).To(BeFalse())
	g.Expect(s.matches(verdict(&v1alpha1.AppPlacement{Verdict: v1alpha1.PlacementNeedsAdministrator}), "")).To(BeTrue())
}
