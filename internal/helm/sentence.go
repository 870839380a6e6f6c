package helm

import (
	"errors"
	"strings"

	"github.com/appmarket/operator/internal/text"
)

// maxSentence bounds an explained error in bytes; a template can quote itself.
const maxSentence = 800

func sentence(said string) error { return errors.New(oneLine(said)) }

// oneLine puts a text on one line of at most maxSentence bytes.
func oneLine(said string) string {
	// Fields over megabytes would be paid for even though they are cut off.
	if len(said) > 4*maxSentence {
		said = said[:4*maxSentence]
	}
	return text.Shorten(strings.ToValidUTF8(strings.Join(strings.Fields(said), " "), ""), maxSentence)
}
