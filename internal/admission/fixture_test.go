package admission

import (
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
)

// appWith returns an app with a change.
func appWith(change func(*v1alpha1.AppInfo)) *catalog.App {
	app := &catalog.App{Source: &v1alpha1.MarketSource{}, Info: &v1alpha1.AppInfo{}}
	app.Info.Spec.App = "web"
	change(app.Info)
	return app
}

// expectFinding expects one finding with a reason, which is waited for or terminal.
func expectFinding(g Gomega, f *Findings, reason string, waits bool) {
	g.Expect(f.Len()).To(Equal(1))
	err := f.ToError(0)
	_, isWaiting := outcome.IsWaiting(err)
	g.Expect(outcome.Reason(err, "")).To(Equal(reason))
	g.Expect(isWaiting).To(Equal(waits))
	g.Expect(outcome.IsStalled(err)).To(Equal(!waits))
}
