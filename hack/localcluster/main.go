// Command localcluster is a small real Kubernetes for development and tests, in one binary and without containers.
//
// Called by the name of a Kubernetes program (through a symbolic link) it is that program: etcd, kube-apiserver,
// kube-controller-manager, kube-scheduler, kubectl and kwok. A folder with these links is what envtest asks for in
// KUBEBUILDER_ASSETS. Called by its own name it starts, stops and shows one cluster:
//
//	localcluster assets DIR           make the links in DIR
//	localcluster up --dir DIR         start a cluster whose state is under DIR
//	localcluster down --dir DIR       stop it and remove its state
//	localcluster status --dir DIR     show it
//	localcluster node up --dir DIR    add a node that runs containers
//	localcluster node down --dir DIR  remove that node
//
// The control plane is the real one, built from source at the version in go.mod; the nodes are simulated by kwok, so
// that scheduling, volumes, jobs and readiness work while no container runs. Everything listens on loopback, on ports
// that were free, with certificates made for this cluster alone. It needs Linux, since it reads /proc.
//
// A node that runs containers needs root, containerd, runc, the CNI plugins, iptables, ip and a static busybox, and a
// binary that is built with the tag node, which links kubelet and kube-proxy. See node.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/pflag"
)

const usage = `usage:
  localcluster assets DIR          make links in DIR: a folder for KUBEBUILDER_ASSETS
  localcluster up [--dir DIR]      start a cluster, or say that it is up; --simulated-nodes=false starts it without nodes
  localcluster down [--dir DIR]    stop it and remove its state
  localcluster status [--dir DIR]  show its processes and nodes
  localcluster node up [--dir DIR]    add a node that runs containers; needs root and the build tag node
  localcluster node down [--dir DIR]  remove that node
`

var errUsage = errors.New("unknown command")

func main() {
	if run, found := programs[filepath.Base(os.Args[0])]; found {
		run()
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "localcluster:", err)
		if errors.Is(err, errUsage) {
			fmt.Fprint(os.Stderr, usage)
		}
		stop()
		os.Exit(1)
	}
}

// command runs one subcommand. Progress and answers for people go to out.
func command(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	flags := pflag.NewFlagSet(args[0], pflag.ContinueOnError)
	dir := flags.String("dir", ".local", "folder that holds the cluster's state")
	simulated := flags.Bool("simulated-nodes", true, "start the cluster with simulated nodes")
	if err := flags.Parse(args[1:]); err != nil {
		return fmt.Errorf("parse flags: %w", err)
	}
	name := args[0]
	switch name {
	case "assets":
		if flags.NArg() != 1 {
			return fmt.Errorf("assets needs one folder: %w", errUsage)
		}
		return linkPrograms(flags.Arg(0))
	case forwardCommand:
		if flags.NArg() != 2 {
			return fmt.Errorf("%s needs two addresses: %w", forwardCommand, errUsage)
		}
		return forward(ctx, flags.Arg(0), flags.Arg(1))
	case "node":
		name += " " + flags.Arg(0)
	}
	c, err := newCluster(*dir, out)
	if err != nil {
		return err
	}
	switch name {
	case "up":
		return c.locked(ctx, func(ctx context.Context) error { return c.up(ctx, *simulated) })
	case "down":
		return c.locked(ctx, c.down)
	case "status":
		return c.status(ctx)
	case "node up":
		return c.locked(ctx, c.nodeUp)
	case "node down":
		return c.locked(ctx, c.nodeDown)
	case nodeInitCommand:
		return c.runNode()
	default:
		return fmt.Errorf("%w %q", errUsage, name)
	}
}
