package render

import (
	"errors"

	"github.com/appmarket/operator/internal/text"
)

// maxSentence bounds an explained error, in bytes, because a template can quote itself.
const maxSentence = 800

func sentenceError(said string) error { return errors.New(oneLine(said)) }

// oneLine converts a text to one line of at most maxSentence bytes.
func oneLine(said string) string { return text.OneLine(said, maxSentence) }
