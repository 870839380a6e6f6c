package airgap

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cranecmd "github.com/google/go-containerregistry/cmd/crane/cmd"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	. "github.com/onsi/gomega"
)

// TestMain runs the tests, or is the program crane if it has this name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "crane" {
		if cranecmd.New("crane", "copies images", nil).Execute() != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestScriptMirrorsImages copies images from one registry to another with each program that the script can use.
func TestScriptMirrorsImages(t *testing.T) {
	self, err := os.Executable()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, program := range []string{"crane", "skopeo"} {
		t.Run(program, func(t *testing.T) {
			g := NewWithT(t)
			path := self
			if program != "crane" {
				if path, err = exec.LookPath(program); err != nil {
					t.Skip(program + " is not on the PATH")
				}
			}
			from, to := startRegistry(t, newRegistry()), startRegistry(t, newRegistry())
			web, job := pushImage(t, from+"/team/web:1"), pushImage(t, from+"/job:1")
			home := t.TempDir()
			programs := filepath.Join(home, "programs")
			settings := filepath.Join(home, ".config", "containers")
			g.Expect(os.MkdirAll(settings, 0o700)).To(Succeed())
			g.Expect(os.WriteFile(filepath.Join(settings, "policy.json"), []byte(`{"default": [{"type": "insecureAcceptAnything"}]}`), 0o600)).To(Succeed())
			plain := fmt.Appendf(nil, "[[registry]]\nlocation = %q\ninsecure = true\n[[registry]]\nlocation = %q\ninsecure = true\n", from, to)
			g.Expect(os.WriteFile(filepath.Join(settings, "registries.conf"), plain, 0o600)).To(Succeed())
			g.Expect(os.Mkdir(programs, 0o700)).To(Succeed())
			g.Expect(os.Symlink(path, filepath.Join(programs, program))).To(Succeed())

			content := collectImages(t, imageList(from+"/team/web:1", from+"/gone:1"), from+"/job@"+job)
			folder := filepath.Join(home, "bundle")
			g.Expect(content.Write(folder, false)).To(Succeed())
			script := exec.CommandContext(t.Context(), "/bin/sh", filepath.Join(folder, "mirror.sh"), to+"/mirror")
			script.Env = []string{"PATH=" + programs, "HOME=" + home, "TMPDIR=" + home}
			out, err := script.CombinedOutput()
			t.Log(string(out))
			g.Expect(err).To(MatchError("exit status 1"), "one image does not exist")
			g.Expect(string(out)).To(ContainSubstring("mirror.sh: " + from + "/gone:1 was not copied\n"))
			for copied, digest := range map[string]string{"/team/web:1": web, "/job:sha256-" + job[len("sha256:"):]: job} {
				ref, err := name.ParseReference(to + "/mirror/" + strings.Replace(from, ":", "-", 1) + copied)
				g.Expect(err).NotTo(HaveOccurred())
				found, err := remote.Head(ref)
				g.Expect(err).NotTo(HaveOccurred(), copied)
				g.Expect(found.Digest.String()).To(Equal(digest), "the image is copied although another one failed before")
			}
		})
	}
}
