package pages

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/locale"
)

func TestDefaultIsShownOnce(t *testing.T) {
	g := NewWithT(t)
	choice := newInputField(locale.English, formInput{Input: v1alpha1.Input{Name: "A", Type: "bool", Default: "false"}}, 0)
	g.Expect([]string{choice.Widget, choice.Default, choice.Hint}).To(Equal([]string{"bool", "false", ""}), "the first option is the default")
	number := newInputField(locale.English, formInput{Input: v1alpha1.Input{Name: "B", Type: "int", Default: "3"}}, 1)
	g.Expect(number.Hint).To(Equal("Defaults to 3."))
}
