package helm

import (
	"errors"

	"github.com/appmarket/operator/internal/text"
)

// maxSentence bounds an explained error in bytes; a template can quote itself.
const maxSentence = 800

func sentence(said string) error { return errors.New(oneLine(said)) }

// oneLine is a text on one line of at most maxSentence bytes.
func oneLine(said string) string { return text.OneLine(said, maxSentence) }
