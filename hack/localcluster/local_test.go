package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
	"sigs.k8s.io/yaml"
)

func TestShellWordIsReadBackByAShell(t *testing.T) {
	for _, word := range []string{"/plain/path-1.2", "", "a b", "it's", `$HOME`, "`id`", `"`, "a\nb", "~", "*", "#x"} {
		out, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", "V="+shellWord(word)+`; printf %s "$V"`).Output()
		if err != nil || string(out) != word {
			t.Errorf("wrote %q, the shell read %q, %v", word, out, err)
		}
	}
}

func TestFreePortsDiffer(t *testing.T) {
	ports, err := freePorts(20)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ports)
	if len(slices.Compact(ports)) != 20 {
		t.Errorf("got %v", ports)
	}
}

func TestLinkPrograms(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "assets")
	for range 2 {
		if err := linkPrograms(dir); err != nil {
			t.Fatal(err)
		}
	}
	self, _ := os.Executable()
	for name := range programs {
		if target, err := os.Readlink(filepath.Join(dir, name)); err != nil || target != self {
			t.Errorf("%s links to %q, %v", name, target, err)
		}
	}
	if target, err := linkTarget(filepath.Dir(self), self); err != nil || target != filepath.Base(self) {
		t.Errorf("beside the binary a bare name is enough, got %q, %v", target, err)
	}
}

func TestStagesAreUnderstood(t *testing.T) {
	text, err := stages()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]v1alpha1.Stage{}
	for _, document := range strings.Split(text, "\n---\n") {
		var stage v1alpha1.Stage
		if err := yaml.UnmarshalStrict([]byte(document), &stage); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if _, twice := seen[stage.Name]; twice {
			t.Errorf("stage %q is there twice", stage.Name)
		}
		seen[stage.Name] = stage
	}
	ready := seen["pod-ready"].Spec.Selector
	if ready == nil || len(ready.MatchExpressions) < 2 || ready.MatchExpressions[len(ready.MatchExpressions)-1].CEL == nil {
		t.Errorf("pod-ready lost its selector or has no exception: %+v", ready)
	}
}

func TestCommandsThatAreNone(t *testing.T) {
	for _, args := range [][]string{{}, {"start"}, {"assets"}, {"assets", "a", "b"}, {"node"}, {"node", "sideways"}, {"forward", "a"}} {
		if err := command(t.Context(), args, &bytes.Buffer{}); !errors.Is(err, errUsage) {
			t.Errorf("%q: got %v", args, err)
		}
	}
	if err := command(t.Context(), []string{"up", "--no-such-flag"}, &bytes.Buffer{}); err == nil {
		t.Error("a flag that is none was taken")
	}
}
