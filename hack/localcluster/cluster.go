package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// startPatience bounds the start of a cluster: seconds on an idle machine, more on one that compiles beside it.
const startPatience = 3 * time.Minute

// A cluster is what lives under one folder: the processes of a control plane, and their state.
type cluster struct {
	layout
	out io.Writer
}

func newCluster(dir string, out io.Writer) (*cluster, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find folder: %w", err)
	}
	return &cluster{layout: layout{root: root}, out: out}, nil
}

func (c *cluster) say(format string, args ...any) {
	_, _ = fmt.Fprintf(c.out, format+"\n", args...) // A failed write of progress cannot be reported.
}

// process returns the handle of a program of this cluster, running or not.
func (c *cluster) process(name string) *process {
	return &process{name: name, pidFile: c.pidFile(name), logFile: c.logFile(name), patience: killAfter}
}

// locked keeps a second start or stop of the same cluster waiting until this one is done.
func (c *cluster) locked(ctx context.Context, do func(context.Context) error) error {
	if err := os.MkdirAll(c.root, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	dir, err := os.Open(c.root)
	if err != nil {
		return fmt.Errorf("lock folder: %w", err)
	}
	defer dir.Close() // It also gives up the lock.
	err = poll(ctx, func() (bool, error) {
		err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		return err == nil, ignore(err, syscall.EWOULDBLOCK)
	})
	if err != nil {
		return fmt.Errorf("lock folder: %w", err)
	}
	return do(ctx)
}

func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// up starts a cluster and returns when pods can run on it. One that is up already is kept; what a killed run left is
// stopped and removed first. When it fails, it leaves the logs and no process.
func (c *cluster) up(ctx context.Context, simulated bool) error {
	if c.healthy(ctx) {
		c.say("the cluster is up already")
		return nil
	}
	if c.remains() {
		c.say("cleaning up after a run that was cut off")
	}
	if err := c.clear(ctx); err != nil {
		return err
	}
	begin := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, startPatience, fmt.Errorf("not ready within %s", startPatience))
	defer cancel()
	if err := c.start(ctx, simulated); err != nil {
		return errors.Join(err, c.stop(context.WithoutCancel(ctx)))
	}
	nodes := 0
	if simulated {
		nodes = len(simulatedNodes)
	}
	c.say("the cluster is up: %d nodes, %s", nodes, time.Since(begin).Round(100*time.Millisecond))
	return nil
}

func (c *cluster) start(ctx context.Context, simulated bool) error {
	if err := linkPrograms(c.bin()); err != nil {
		return err
	}
	at, err := chooseEndpoints()
	if err != nil {
		return err
	}
	if err := c.prepare(at, simulated); err != nil {
		return err
	}
	c.say("starting etcd and kube-apiserver")
	started, err := c.launch(map[string][]string{"etcd": c.etcdArgs(at), "kube-apiserver": c.apiServerArgs(at)})
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	if err := await(ctx, started, func() (bool, error) { return serving(ctx, client) == nil, nil }); err != nil {
		return fmt.Errorf("start the API server: %w", err)
	}
	programs := map[string][]string{
		"kube-controller-manager": c.controllerManagerArgs(),
		"kube-scheduler":          c.schedulerArgs(),
	}
	nodes := 0
	if simulated {
		programs["kwok"] = c.kwokArgs()
		nodes = len(simulatedNodes)
	}
	c.say("starting %s", strings.Join(slices.Sorted(maps.Keys(programs)), ", "))
	more, err := c.launch(programs)
	if err != nil {
		return err
	}
	if simulated {
		if err := furnish(ctx, client); err != nil {
			return err
		}
	}
	err = await(ctx, append(started, more...), func() (bool, error) { return furnished(ctx, client, nodes) })
	if err != nil {
		return fmt.Errorf("start the nodes: %w", err)
	}
	if err := link(filepath.Join("bin", "kubectl"), c.kubectl()); err != nil {
		return err
	}
	return c.writeEnv()
}

// launch starts programs by name. The caller stops what has started when one of them does not.
func (c *cluster) launch(programs map[string][]string) ([]*process, error) {
	started := make([]*process, 0, len(programs))
	for name, args := range programs {
		p := c.process(name)
		if err := p.start(filepath.Join(c.bin(), name), c.state(), args...); err != nil {
			return nil, err
		}
		started = append(started, p)
	}
	return started, nil
}

// await waits for ready, as long as every process lives.
func await(ctx context.Context, processes []*process, ready func() (bool, error)) error {
	return poll(ctx, func() (bool, error) {
		for _, p := range processes {
			if err := p.died(); err != nil {
				return false, err
			}
		}
		return ready()
	})
}

func (c *cluster) client() (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	config.Timeout = 10 * time.Second
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return client, nil
}

// serving asks the API server whether it is ready.
func serving(ctx context.Context, client *kubernetes.Clientset) error {
	if err := client.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error(); err != nil {
		return fmt.Errorf("ask the API server: %w", err)
	}
	return nil
}

// controlPlane are the programs in the order in which they are stopped: those of a stage together. The API server
// before etcd, since without it the API server would linger and hold its port.
var controlPlane = [][]string{
	{"kwok", "kube-scheduler", "kube-controller-manager"},
	{"kube-apiserver"},
	{"etcd"},
}

// down stops the processes and removes everything but the programs.
func (c *cluster) down(ctx context.Context) error {
	if !c.remains() {
		c.say("no cluster is up")
		return nil
	}
	if err := c.clear(ctx); err != nil {
		return err
	}
	c.say("the cluster is down")
	return nil
}

func (c *cluster) stop(ctx context.Context) error {
	var failures []error
	for _, stage := range controlPlane {
		errs := make([]error, len(stage))
		var group sync.WaitGroup
		for i, name := range stage {
			group.Go(func() { errs[i] = c.process(name).stop(ctx) })
		}
		group.Wait()
		failures = append(failures, errs...)
	}
	return errors.Join(failures...)
}

// clear stops what runs and removes what is ours. The state stays while a process is left, which its file names.
func (c *cluster) clear(ctx context.Context) error {
	if err := c.clearNode(ctx); err != nil {
		return err
	}
	if err := c.stop(ctx); err != nil {
		return err
	}
	rotated, err := filepath.Glob(filepath.Join(c.root, "audit-*.log"))
	if err != nil {
		return fmt.Errorf("find audit logs: %w", err)
	}
	for _, path := range append(rotated, c.env(), c.kubectl(), c.kubeconfig(), c.auditLog(), c.state()) {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove state: %w", err)
		}
	}
	return nil
}

// remains tells whether there is state of a cluster, of one that runs or of one that was cut off.
func (c *cluster) remains() bool {
	_, err := os.Stat(c.state())
	return !errors.Is(err, fs.ErrNotExist)
}
