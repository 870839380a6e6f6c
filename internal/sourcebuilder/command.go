package sourcebuilder

import (
	"fmt"
	"strings"

	"github.com/appmarket/operator/internal/taskbuilder"
)

// AddCommand returns the command of the kubectl plugin that adds the source of a request.
func AddCommand(r Request) string {
	arguments := []string{"source", "add", r.Name}
	if r.Location != "" {
		arguments = append(arguments, r.Location)
	}
	arguments = append(arguments, "--namespace", r.Namespace)
	add := func(flag, value string) {
		if value != "" {
			arguments = append(arguments, "--"+flag, value)
		}
	}
	if r.Type != TypeOfLocation(r.Location) {
		add("type", strings.ToLower(string(r.Type)))
	}
	add("ref", r.Ref)
	add("path", r.Path)
	add("system-version", r.SystemVersion)
	add("charts", strings.Join(r.Charts, ","))
	add("secret", r.Secret)
	add("cert-secret", r.CertSecret)
	add("proxy-secret", r.ProxySecret)
	add("registry-secret", r.RegistrySecret)
	if r.AllCharts {
		arguments = append(arguments, "--all-charts")
	}
	if r.Insecure {
		arguments = append(arguments, "--insecure")
	}
	if r.AllowedNamespaces != "same" {
		add("allowed-namespaces", r.AllowedNamespaces)
	}
	add("include", strings.Join(r.Include, ","))
	add("exclude", strings.Join(r.Exclude, ","))
	if r.MaxVersions != 0 {
		add("max-versions", fmt.Sprint(r.MaxVersions))
	}
	add("versions", r.Versions)
	if r.Prereleases != nil {
		arguments = append(arguments, fmt.Sprintf("--prereleases=%t", *r.Prereleases))
	}
	add("profile", strings.ToLower(string(r.Profile)))
	add("interval", string(r.Interval))
	add("receiver", strings.ToLower(string(r.Receiver)))
	add("receiver-secret", r.ReceiverSecret)
	add("verify", strings.ToLower(string(r.Verify.Provider)))
	add("trust-root", r.Verify.TrustRoot)
	for _, identity := range r.Verify.Identities {
		add("identity", identity)
	}
	return taskbuilder.PluginCommand(arguments)
}
