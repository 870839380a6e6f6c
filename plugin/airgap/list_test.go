package airgap_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/plugin/airgap"
)

// TestPrintList prints images with a tag and with a digest in each format.
func TestPrintList(t *testing.T) {
	sum := "sha256:" + strings.Repeat("ab", 32)
	images := []v1alpha1.AppImage{{Name: "r.io:5000/a/web:1", Digest: sum}, {Name: "r.io/db@" + sum}}
	for _, c := range []struct{ format, platform, want string }{
		{"plain", "linux/arm64", "r.io:5000/a/web@" + sum + "\nr.io/db@" + sum + "\n"},
		{"hauler", "", "apiVersion: content.hauler.cattle.io/v1\nkind: Images\nmetadata:\n  name: appmarket\nspec:\n  images:\n  - name: r.io:5000/a/web:1\n  - name: r.io/db@" + sum + "\n"},
		{"hauler", "linux/arm64", "apiVersion: content.hauler.cattle.io/v1\nkind: Images\nmetadata:\n  name: appmarket\nspec:\n  images:\n" +
			"  - name: r.io:5000/a/web:1\n    platform: linux/arm64\n  - name: r.io/db@" + sum + "\n    platform: linux/arm64\n"},
		{"imgpkg", "", "apiVersion: imgpkg.carvel.dev/v1alpha1\nimages:\n- annotations:\n    kbld.carvel.dev/id: r.io:5000/a/web:1\n  image: r.io:5000/a/web@" + sum +
			"\n- annotations:\n    kbld.carvel.dev/id: r.io/db@" + sum + "\n  image: r.io/db@" + sum + "\nkind: ImagesLock\n"},
	} {
		t.Run(c.format, func(t *testing.T) {
			g := NewWithT(t)
			var out strings.Builder
			g.Expect(airgap.PrintList(&out, c.format, c.platform, images)).To(Succeed())
			g.Expect(out.String()).To(Equal(c.want))
		})
	}
}

// TestPrintListRejects rejects what a shell or another program could interpret.
func TestPrintListRejects(t *testing.T) {
	for _, image := range []v1alpha1.AppImage{
		{Name: "web"}, {Name: "r.io/web:1; rm -r x"}, {Name: "r.io/web:1\nkind: Secret"}, {Name: "r.io/web:1", Digest: "sha256:ab"}, {Name: "r.io/web:1", Digest: "sha512:" + strings.Repeat("ab", 64)},
	} {
		for _, format := range airgap.ListFormats {
			var out strings.Builder
			NewWithT(t).Expect(airgap.PrintList(&out, format, "", []v1alpha1.AppImage{image})).NotTo(Succeed(), "%s: %q", format, image)
			NewWithT(t).Expect(out.String()).To(BeEmpty())
		}
	}
}
