package pages

import (
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/sourcebuilder"
)

// checkTrust adds the problems of the fields about the receiver and signatures.
func (v *sourceForm) checkTrust(add func(id, label, text string, values ...any)) {
	if v.Receiver != "" && v.ReceiverSecret == "" {
		add("receiver-secret", "sourceForm.receiverSecret", "fieldProblem.receiverSecret")
	}
	if v.Receiver == "" && v.ReceiverSecret != "" {
		add("receiver", "sourceForm.receiver", "fieldProblem.receiver")
	}
	verify := v.newRequest().Verify
	if verify.Provider == "" {
		if verify.TrustRoot != "" || len(verify.Identities) > 0 {
			add("verify", "sourceForm.verify", "fieldProblem.verify")
		}
		return
	}
	if _, err := sourcebuilder.ParseTrustRoot(verify.TrustRoot); err != nil {
		add("trust-root", "sourceForm.trustRoot", "fieldProblem.trustRoot")
	} else if _, err := verify.Parse(); err != nil {
		add("identities", "sourceForm.identities", "fieldProblem.identities")
	}
}

// checkVersions adds the problems of the fields about the versions of the apps.
func (v *sourceForm) checkVersions(add func(id, label, text string, values ...any)) {
	if v.MaxVersions != "" && v.newRequest().MaxVersions < 1 {
		add("max-versions", "sourceForm.maxVersions", "fieldProblem.maxVersions")
	}
	if _, err := semver.NewConstraint(v.Versions); v.Versions != "" && err != nil {
		add("versions", "sourceForm.versions", "fieldProblem.versionRange")
	}
}

// checkFields adds the problems of all fields that the API server does not report by field.
func (v *sourceForm) checkFields() {
	add := func(id, label, text string, values ...any) {
		v.Errors = append(v.Errors, fieldError{id, v.lang.Text(label), v.lang.Text(text, values...)})
	}
	if !namespaceForm.MatchString(v.Namespace) {
		add("to", "form.namespace", "fieldProblem.selectNamespace")
	}
	if !namespaceForm.MatchString(v.Name) {
		add("name", "form.name", "fieldProblem.name", "Value", 63)
	}
	if v.Location == "" && v.Type != v1alpha1.SourceTypeUpload {
		add("location", "sourceForm.address", "fieldProblem.location")
	}
	v.checkVersions(add)
	if _, err := sourcebuilder.ParseRef(v.newRequest().Ref); err != nil {
		add("ref", "sourceForm.ref", "fieldProblem.ref")
	}
	v.checkTrust(add)
	if v.Interval != "" {
		if d, err := time.ParseDuration(v.Interval); err != nil || d <= 0 {
			add("interval", "sourceForm.interval", "fieldProblem.interval")
		}
	}
	if _, err := sourcebuilder.ParseAllowedNamespaces(v.newRequest().AllowedNamespaces); err != nil || v.Sharing == "selector" && v.Selector == "" {
		add("selector", "sourceForm.selector", "fieldProblem.selector")
	}
}
