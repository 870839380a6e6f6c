package main

import (
	"bytes"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

func reportOf(t *testing.T, lines ...string) (*report, string) {
	t.Helper()
	var out bytes.Buffer
	r := newReport(&out)
	NewWithT(t).Expect(r.read(strings.NewReader(strings.Join(lines, "\n")))).To(Succeed())
	return r, out.String()
}

func TestResults(t *testing.T) {
	for _, one := range []struct {
		why, want string
		lines     []string
	}{
		{why: "a package that passes is one line", want: "ok  \tm/a\t1.500s\n", lines: []string{
			`{"Action":"start","Package":"m/a"}`,
			`{"Action":"output","Package":"m/a","Test":"TestA","Output":"chatter\n"}`,
			`{"Action":"pass","Package":"m/a","Test":"TestA","Elapsed":1}`,
			`{"Action":"output","Package":"m/a","Output":"ok  \tm/a\t1.500s\n"}`,
			`{"Action":"pass","Package":"m/a","Elapsed":1.5}`,
		}},
		{why: "what a test that failed has printed is shown", want: "wrong\n--- FAIL: TestA\nFAIL\tm/a\t2.000s\n", lines: []string{
			`{"Action":"output","Package":"m/a","Test":"TestA","Output":"wrong\n"}`,
			`{"Action":"output","Package":"m/a","Test":"TestB","Output":"chatter\n"}`,
			`{"Action":"pass","Package":"m/a","Test":"TestB","Elapsed":1}`,
			`{"Action":"output","Package":"m/a","Test":"TestA","Output":"--- FAIL: TestA\n"}`,
			`{"Action":"fail","Package":"m/a","Test":"TestA","Elapsed":1}`,
			`{"Action":"output","Package":"m/a","Output":"FAIL\tm/a\t2.000s\n"}`,
			`{"Action":"fail","Package":"m/a","Elapsed":2}`,
		}},
		{why: "a package that does not build has failed", want: "a.go:1: no\nFAIL\tm/a\t0.000s\n", lines: []string{
			`{"ImportPath":"m/a","Action":"build-output","Output":"a.go:1: no\n"}`,
			`{"Action":"output","Package":"m/a","Output":"FAIL\tm/a [build failed]\n"}`,
			`{"Action":"fail","Package":"m/a","Elapsed":0,"FailedBuild":"m/a"}`,
		}},
		{why: "a test that never ended is shown", want: "panic: out of time\nFAIL\tm/a\t3.000s\n", lines: []string{
			`{"Action":"output","Package":"m/a","Test":"TestA","Output":"panic: out of time\n"}`,
			`{"Action":"fail","Package":"m/a","Elapsed":3}`,
		}},
		{why: "a package without tests is nothing", want: "", lines: []string{`{"Action":"skip","Package":"m/a"}`}},
		{why: "other lines are kept", want: "go: downloading\n", lines: []string{"go: downloading", ""}},
	} {
		t.Run(one.why, func(t *testing.T) {
			_, out := reportOf(t, one.lines...)
			NewWithT(t).Expect(out).To(Equal(one.want))
		})
	}
}

func TestSlowest(t *testing.T) {
	r, _ := reportOf(t,
		`{"Action":"pass","Package":"github.com/appmarket/operator/a","Test":"TestA/one","Elapsed":3}`,
		`{"Action":"pass","Package":"github.com/appmarket/operator/a","Test":"TestA/two","Elapsed":1}`,
		`{"Action":"pass","Package":"github.com/appmarket/operator/a","Test":"TestA","Elapsed":4}`,
		`{"Action":"fail","Package":"github.com/appmarket/operator/b","Test":"TestB","Elapsed":2}`,
		`{"Action":"pass","Package":"github.com/appmarket/operator/b","Elapsed":9}`,
	)
	var out bytes.Buffer
	r.printSlowest(&out, 2)
	NewWithT(t).Expect(out.String()).To(Equal("slowest tests:\n    3.0s  a  TestA/one\n    2.0s  b  TestB\n"))
}

func TestSavedEvents(t *testing.T) {
	g := NewWithT(t)
	var out bytes.Buffer
	r := newReport(&out)
	r.linesOnly = true
	g.Expect(r.read(strings.NewReader(`{"Action":"output","Package":"m/a","Test":"[It] works","Output":"shown before\n"}
{"Action":"fail","Package":"m/a","Test":"[It] works","Elapsed":1}
{"Action":"fail","Package":"m/a","Elapsed":2}
`))).To(Succeed())
	g.Expect(out.String()).To(Equal("FAIL\tm/a\t2.000s\n"))
}
