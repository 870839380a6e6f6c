package pages

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/sourcebuilder"
)

// addEntries replaces the fields of the form by what is entered.
func (v *sourceForm) addEntries(r *request) {
	enter := func(field, present string) string { return strings.TrimSpace(enteredOr(r, field, present)) }
	v.Location, v.Secret, v.CertSecret = enter("location", v.Location), enter("secret", v.Secret), enter("cert-secret", v.CertSecret)
	v.Type = cmp.Or(v1alpha1.SourceType(enter("type", string(v.Type))), sourcebuilder.TypeOfLocation(v.Location))
	v.ProxySecret, v.RegistrySecret = enter("proxy-secret", v.ProxySecret), enter("registry-secret", v.RegistrySecret)
	v.addTrustEntries(r, enter)
	v.Ref, v.Path = enter("ref", v.Ref), enter("path", v.Path)
	v.SystemVersion = enter("system-version", v.SystemVersion)
	if r.Method == http.MethodPost {
		v.AllCharts = r.PostFormValue("all-charts") != ""
		v.Insecure = r.PostFormValue("insecure") != ""
	}
	v.Charts, v.Include = enter("charts", linesOf(v.Request.Charts)), enter("include", linesOf(v.Request.Include))
	v.Exclude = enter("exclude", linesOf(v.Request.Exclude))
	v.Profile = v1alpha1.PlatformProfile(enter("profile", string(v.Profile)))
	if v.Request.MaxVersions != 0 {
		v.MaxVersions = strconv.Itoa(int(v.Request.MaxVersions))
	}
	v.MaxVersions, v.Interval = enter("max-versions", v.MaxVersions), enter("interval", string(v.Request.Interval))
	v.addVersionEntries(r, enter)
	v.Sharing, v.Selector = "same", ""
	switch v.AllowedNamespaces {
	case "same", "all":
		v.Sharing = v.AllowedNamespaces
	default:
		v.Sharing, v.Selector = "selector", v.AllowedNamespaces
	}
	v.Sharing, v.Selector = enter("sharing", v.Sharing), enter("selector", v.Selector)
	v.Types = optionsOf(string(v.Type), "Helm", r.Text("sourceForm.helm"), "OCI", r.Text("sourceForm.oci"),
		"Git", r.Text("sourceForm.git"), "Olares", r.Text("sourceForm.olares"), "Artifact", r.Text("sourceForm.artifact"),
		"Directory", r.Text("sourceForm.directory"), "Upload", r.Text("sourceForm.upload"))
	v.Profiles = optionsOf(string(v.Profile), "", r.Text("sourceForm.defaultProfile"), "Helm", "Helm", "Olares", "Olares")
	v.Sharings = optionsOf(v.Sharing, "same", r.Text("sourceForm.sharedOwn"), "all", r.Text("sourceForm.sharedAll"), "selector", r.Text("sourceForm.sharedLabels"))
}

// addVersionEntries replaces the range of versions, and whether prereleases are included, by what is entered.
func (v *sourceForm) addVersionEntries(r *request, enter func(field, present string) string) {
	v.Versions = enter("versions", v.Versions)
	present := ""
	if v.Prereleases != nil {
		present = strconv.FormatBool(*v.Prereleases)
	}
	chosen := enter("prereleases", present)
	v.Prereleases = nil
	if include, err := strconv.ParseBool(chosen); err == nil { // Any other text is the default.
		v.Prereleases = &include
	}
	v.PrereleaseChoices = optionsOf(chosen, "", r.Text("sourceForm.prereleasesDefault"), "true", r.Text("sourceForm.prereleasesAll"),
		"false", r.Text("sourceForm.prereleasesNone"))
}

// addTrustEntries replaces the fields about the receiver and signatures by what is entered.
func (v *sourceForm) addTrustEntries(r *request, enter func(field, present string) string) {
	v.Receiver = v1alpha1.ReceiverType(enter("receiver", string(v.Receiver)))
	v.ReceiverSecret = enter("receiver-secret", v.ReceiverSecret)
	v.Verify.Provider = v1alpha1.VerificationProvider(enter("verify", string(v.Verify.Provider)))
	v.Verify.TrustRoot, v.Identities = enter("trust-root", v.Verify.TrustRoot), enter("identities", linesOf(v.Verify.Identities))
	v.Receivers = optionsOf(string(v.Receiver), "", r.Text("sourceForm.noReceiver"), "GitHub", "GitHub", "GitLab", "GitLab", "Harbor", "Harbor",
		"DockerHub", "Docker Hub", "Generic", r.Text("sourceForm.genericReceiver"))
	v.Providers = optionsOf(string(v.Verify.Provider), "", r.Text("sourceForm.notVerified"), "HelmProvenance", r.Text("sourceForm.provenance"),
		"Cosign", "cosign", "Notation", "notation")
}

// optionsOf returns options of which each is given as a value and a text.
func optionsOf(chosen string, pairs ...string) []option {
	var options []option
	for i := 0; i+1 < len(pairs); i += 2 {
		options = append(options, option{pairs[i], pairs[i+1], pairs[i] == chosen})
	}
	return options
}

// linesOf returns a list as lines, and listOf the list of lines or of texts between commas.
func linesOf(list []string) string { return strings.Join(list, "\n") }

// trimmedLines returns the lines of a text that are not empty.
func trimmedLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func listOf(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t' })
}

// newRequest returns the request of the entries. Fields that the type does not have are left out.
func (v *sourceForm) newRequest() sourcebuilder.Request {
	q := v.Request
	q.Charts, q.Include, q.Exclude = listOf(v.Charts), listOf(v.Include), listOf(v.Exclude)
	q.Interval, q.Verify.Identities = v1alpha1.Duration(v.Interval), trimmedLines(v.Identities)
	count, err := strconv.ParseInt(v.MaxVersions, 10, 32)
	if q.MaxVersions = 0; err == nil {
		q.MaxVersions = int32(count)
	}
	if q.AllowedNamespaces = v.Sharing; v.Sharing == "selector" {
		q.AllowedNamespaces = v.Selector
	}
	if q.Type != v1alpha1.SourceTypeOCI {
		q.Charts, q.AllCharts, q.Insecure = nil, false, false
	}
	if q.Type != v1alpha1.SourceTypeGit {
		q.Ref = ""
	}
	if q.Type != v1alpha1.SourceTypeOlares {
		q.SystemVersion = ""
	}
	if q.Type != v1alpha1.SourceTypeGit && q.Type != v1alpha1.SourceTypeArtifact {
		q.Path = ""
	}
	switch q.Type {
	case v1alpha1.SourceTypeUpload:
		q.Location, q.Secret, q.CertSecret, q.ProxySecret = "", "", "", ""
	case v1alpha1.SourceTypeDirectory, v1alpha1.SourceTypeArtifact:
		q.Secret, q.CertSecret, q.ProxySecret = "", "", ""
	}
	if !sourcebuilder.HasSignatures(q.Type) {
		q.Verify = sourcebuilder.VerifyRequest{}
	}
	return q
}
