package app

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// buildVersion is the version that the Makefile gives the build.
var buildVersion string

// version returns the version of the build, or otherwise the one that Go records for
// the commit.
func programVersion() string {
	if buildVersion != "" {
		return buildVersion
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision := ""
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	return cmp.Or(strings.TrimPrefix(info.Main.Version, "(devel)"), revision, "devel")
}

// userAgent returns the name and version by which servers know the operator.
func userAgent() string {
	return fmt.Sprintf("appmarket/%s (%s/%s)", programVersion(), runtime.GOOS, runtime.GOARCH)
}
