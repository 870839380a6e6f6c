package addresses

import (
	"slices"
	"strings"
)

// webNames are the names of ports that users open in a browser, also as the first or last word of
// a name, such as http-web.
var webNames = []string{"http", "https", "web", "ui", "dashboard", "console"}

// webPorts are the port numbers that users open in a browser, whatever the name.
var webPorts = []int32{80, 443, 3000, 8000, 8080, 8443}

// internalWords are words in the names of ports and Services that are not for users.
var internalWords = []string{"metrics", "exporter", "webhook", "grpc", "healthcheck", "probe", "reloader", "headless"}

// webPort returns the port of a Service that users open in a browser, nil if it has none. The first
// web port counts, because charts list the main port first.
func (e *Endpoint) webPort() *ServicePort {
	if e.Kind != kindService || isInternal(e.Name) {
		return nil
	}
	at := slices.IndexFunc(e.Ports, func(p ServicePort) bool { return p.isWeb() })
	if at < 0 {
		return nil
	}
	return &e.Ports[at]
}

// isWeb reports whether users can open a port in a browser.
func (p ServicePort) isWeb() bool {
	if isInternal(p.Name) {
		return false
	}
	protocol := strings.ToLower(p.Protocol)
	return protocol == "http" || protocol == "https" || slices.Contains(webPorts, p.Number) || hasWord(p.Name, webNames, true)
}

// isMain reports whether a port is likely the main port of an app: port 80, or one whose name says
// that it has pages.
func (p ServicePort) isMain() bool { return p.Number == 80 || hasWord(p.Name, webNames[2:], true) }

// Scheme returns the protocol of a port: its appProtocol, or the protocol that its name or its
// number suggests.
func (p ServicePort) Scheme() Scheme {
	protocol := strings.ToLower(p.Protocol)
	if protocol == "https" || protocol != "http" && (hasWord(p.Name, []string{"https"}, true) || p.Number == 443 || p.Number == 8443) {
		return SchemeHTTPS
	}
	return SchemeHTTP
}

// isInternal reports whether the name of a port or a Service says that it is not for users.
func isInternal(name string) bool { return hasWord(name, internalWords, false) }

// hasWord reports whether a name contains one of the words, separated by "-". If atEdge is set, it
// must be the first or the last word of the name.
func hasWord(name string, words []string, atEdge bool) bool {
	parts := strings.Split(strings.ToLower(name), "-")
	if atEdge && len(parts) > 2 {
		parts = []string{parts[0], parts[len(parts)-1]}
	}
	return slices.ContainsFunc(parts, func(part string) bool { return slices.Contains(words, part) })
}
