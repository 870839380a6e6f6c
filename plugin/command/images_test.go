package command_test

import "testing"

// TestImageLists prints the images of an app and of a source for programs that copy them.
func TestImageLists(t *testing.T) {
	p := newPlugin(t)
	p.newMarket()
	expectGolden(t, "image-lists",
		p.run("images wiki --list plain"), p.run("images wiki --list hauler"), p.run("images wiki --list imgpkg"),
		p.run("images wiki --list imgpkg --platform linux/arm64"), p.run("images wiki --list hauler --platform linux/arm64"), p.run("images --source samples --market market"), p.run("images --source samples --list plain --market market"),
		p.run("images --source other"), p.run("images wiki --list zip"), p.run("images wiki --source samples"), p.run("images"))
}
