package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

var errDown = errors.New("the cluster is not up")

// healthy tells whether a start that was carried to its end is still running whole.
func (c *cluster) healthy(ctx context.Context) bool {
	if _, err := os.Stat(c.env()); err != nil {
		return false
	}
	for _, stage := range controlPlane {
		for _, name := range stage {
			if name == "kwok" && !c.simulates() {
				continue
			}
			if _, alive := c.process(name).running(); !alive {
				return false
			}
		}
	}
	client, err := c.client()
	return err == nil && serving(ctx, client) == nil
}

// status shows the processes, the API server and the nodes. It fails when the cluster is not up.
func (c *cluster) status(ctx context.Context) error {
	for _, stage := range controlPlane {
		for _, name := range stage {
			if name != "kwok" || c.simulates() {
				c.sayState(name)
			}
		}
	}
	if _, err := os.Stat(c.node()); err == nil {
		c.sayState(c.nodeProcess().name)
	}
	if !c.healthy(ctx) {
		return errDown
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	ready, all, err := readyNodes(ctx, client)
	if err != nil {
		return err
	}
	c.say("%-24s %s", "API server", client.RESTClient().Get().URL().Host)
	c.say("%-24s %d of %d ready", "nodes", ready, all)
	c.say("%-24s %s", "kubeconfig", c.kubeconfig())
	return nil
}

// sayState shows whether a program of the cluster runs.
func (c *cluster) sayState(name string) {
	state := "stopped"
	if who, alive := c.process(name).running(); alive {
		state = fmt.Sprintf("process %d", who.pid)
	}
	c.say("%-24s %s", name, state)
}

// writeEnv writes what a shell needs to know of the cluster, last of all: the file says that the cluster is up.
func (c *cluster) writeEnv() error {
	var text strings.Builder
	for _, pair := range [][2]string{
		{"KUBECONFIG", c.kubeconfig()},
		{"KUBEBUILDER_ASSETS", c.bin()},
		{"LOCALCLUSTER_AUDIT_LOG", c.auditLog()},
	} {
		fmt.Fprintf(&text, "%s=%s\n", pair[0], shellWord(pair[1]))
	}
	if err := os.WriteFile(c.env(), []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("write environment: %w", err)
	}
	return nil
}

// shellWord quotes what a shell would not take as one plain word.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@%,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
