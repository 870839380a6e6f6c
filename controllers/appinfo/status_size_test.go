package appinfo

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

func TestFitStatus(t *testing.T) {
	long := strings.Repeat("x", 1000)
	inputs := func(n, options int, text string) []v1alpha1.Input {
		var all []v1alpha1.Input
		for i := range n {
			in := v1alpha1.Input{Name: fmt.Sprintf("INPUT_%d", i), Required: true, Description: text, Default: text, Pattern: text}
			for range options {
				in.Options = append(in.Options, v1alpha1.InputOption{Title: "an option", Value: long})
			}
			all = append(all, in)
		}
		return all
	}
	images := func(n int, problem string) []v1alpha1.AppImage {
		var all []v1alpha1.AppImage
		for range n {
			all = append(all, v1alpha1.AppImage{Name: strings.Repeat("i", 500), Problem: problem, Platforms: strings.Split(strings.Repeat(strings.Repeat("p", 64)+" ", 30), " ")})
		}
		return all
	}
	for _, c := range []struct {
		why    string
		status v1alpha1.AppInfoStatus
		cut    string
		inputs int
		option int
		images int
	}{
		{"what fits stays", v1alpha1.AppInfoStatus{Summary: &v1alpha1.AppSummary{Inputs: inputs(10, 10, "text")}, Images: images(10, "")}, "", 10, 10, 10},
		{"no summary", v1alpha1.AppInfoStatus{}, "", 0, 0, 0},
		{"many options", v1alpha1.AppInfoStatus{Summary: &v1alpha1.AppSummary{Inputs: inputs(5, 100, "text")}}, "options of inputs", 5, 20, 0},
		{"many inputs of many options", v1alpha1.AppInfoStatus{Summary: &v1alpha1.AppSummary{Inputs: inputs(60, 100, "text")}}, "options of inputs", 60, 0, 0},
		{"long texts, too", v1alpha1.AppInfoStatus{Summary: &v1alpha1.AppSummary{Inputs: inputs(100, 100, long)}}, "options of inputs, descriptions of inputs", 100, 0, 0},
		{"many platforms", v1alpha1.AppInfoStatus{Summary: &v1alpha1.AppSummary{}, Images: images(100, long[:500])}, "platforms of images", 0, 0, 100},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			c.status.SelectedVersion = "1.0.0"
			message := fitStatus(&c.status)
			g.Expect(statusBytes(&c.status)).To(BeNumerically("<=", maxStatus+maxSentence))
			g.Expect(c.status.Images).To(HaveLen(c.images))
			if c.cut == "" {
				g.Expect(message).To(BeEmpty())
			} else {
				g.Expect(message).To(Equal("the description of version 1.0.0 exceeds 256 KiB and omits " + c.cut + "; app.json at status.versions[].reportURL contains all fields"))
				g.Expect(c.status.Summary.Warnings).To(ConsistOf(message))
			}
			if c.status.Summary != nil {
				g.Expect(c.status.Summary.Inputs).To(HaveLen(c.inputs))
			}
			if c.inputs > 0 {
				g.Expect(c.status.Summary.Inputs[0].Options).To(HaveLen(c.option))
			}
		})
	}
}
