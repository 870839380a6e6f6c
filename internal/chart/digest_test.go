package chart_test

import (
	"testing"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"
)

func TestDigest(t *testing.T) {
	g := NewWithT(t)
	g.Expect(chart.Digest([]byte("abc"))).To(Equal(
		"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), "the known sum of abc")
}

func TestTreeDigest(t *testing.T) {
	file := func(name, data string) chart.File { return chart.File{Name: name, Data: []byte(data)} }
	base := []chart.File{file("Chart.yaml", "name: a\n"), file("templates/a.yaml", "x")}
	for _, test := range []struct {
		why   string
		files []chart.File
		same  bool
	}{
		{"a tree is a set", []chart.File{base[1], base[0]}, true},
		{"other data", []chart.File{base[0], file("templates/a.yaml", "y")}, false},
		{"another name", []chart.File{base[0], file("templates/b.yaml", "x")}, false},
		{"one file more, though empty", append([]chart.File{file("b", "")}, base...), false},
		{"a byte moved from name to data", []chart.File{base[0], file("templates/a.yam", "lx")}, false},
		{"no files", nil, false},
	} {
		t.Run(test.why, func(t *testing.T) {
			g := NewWithT(t)
			want := Equal(chart.TreeDigest(base))
			if !test.same {
				want = Not(want)
			}
			g.Expect(chart.TreeDigest(test.files)).To(want)
		})
	}
}

func TestTreeDigestKeepsOrder(t *testing.T) {
	g := NewWithT(t)
	files := []chart.File{{Name: "b"}, {Name: "a"}}
	chart.TreeDigest(files)
	g.Expect(files[0].Name).To(Equal("b"), "what the caller holds is not reordered")
}
