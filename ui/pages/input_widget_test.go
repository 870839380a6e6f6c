package pages

import (
	"strconv"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

func TestWidgetOfAnInput(t *testing.T) {
	options := func(count int) []v1alpha1.InputOption {
		list := make([]v1alpha1.InputOption, count)
		for i := range list {
			list[i].Value = strconv.Itoa(i)
		}
		return list
	}
	for want, inputs := range map[string][]formInput{
		"text":         {{Input: v1alpha1.Input{Type: "string"}}, {Input: v1alpha1.Input{Type: "url"}}},
		"number":       {{Input: v1alpha1.Input{Type: "int"}}, {Input: v1alpha1.Input{Type: "string", Minimum: "0.5"}}, {Input: v1alpha1.Input{Name: "storageClass", Type: "int"}}},
		"textarea":     {{Input: v1alpha1.Input{Type: "string"}, Multiline: true}},
		"password":     {{Input: v1alpha1.Input{Type: "password"}, Multiline: true}, {Input: v1alpha1.Input{Type: "string", Secret: true}}},
		"bool":         {{Input: v1alpha1.Input{Type: "bool"}}},
		"radio":        {{Input: v1alpha1.Input{Required: true, Options: options(5)}}},
		"select":       {{Input: v1alpha1.Input{Options: options(2)}}, {Input: v1alpha1.Input{Required: true, Options: options(6)}}, {Input: v1alpha1.Input{Options: options(25)}}},
		"options":      {{Input: v1alpha1.Input{Options: options(26)}}},
		"storageClass": {{Input: v1alpha1.Input{Name: "persistence.storageClass", Type: "string"}}, {Input: v1alpha1.Input{Name: "DB_STORAGE_CLASS_NAME", Type: "string"}}},
		"fixed":        {{Input: v1alpha1.Input{Type: "password"}, Fixed: true}, {Input: v1alpha1.Input{Type: "bool", Default: "true"}, Fixed: true}},
	} {
		for _, input := range inputs {
			NewWithT(t).Expect(widgetOf(input)).To(Equal(want), "%+v", input)
		}
	}
}
