package app

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// buildVersion is the version that the Makefile sets.
var buildVersion string

// ProgramVersion returns the version of the build. Defaults to the version that Go records
// for the commit.
func ProgramVersion() string {
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

// userAgent returns the User-Agent header of the operator.
func userAgent() string {
	return fmt.Sprintf("appmarket/%s (%s/%s)", ProgramVersion(), runtime.GOOS, runtime.GOARCH)
}
