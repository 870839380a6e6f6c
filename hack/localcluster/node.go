package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A node that runs containers is one process tree in process, mount and network namespaces of its own: containerd,
// kubelet, kube-proxy and the containers. Its first process is this binary. When that one is killed, the kernel ends
// the tree and removes its mounts, its network interfaces and the rules of iptables. What is left then is a folder and
// some control groups.
//
// The node reaches the host by a pair of interfaces, and by nothing else. A forwarder on the host's side leads to the
// API server, which listens on loopback. The host reaches pods and services by routes through the same pair. Images
// come from one registry, which whoever uses the node starts on the host's side: see registryURL. A machine can have
// one such node, since these addresses are fixed.
const (
	nodeName = "local"

	hostInterface = "localcluster0"
	nodeInterface = "localcluster1"
	hostAddress   = "10.99.0.1"
	nodeAddress   = "10.99.0.2"
	nodePodCIDR   = "10.245.0.0/24"

	// apiServerPort is the port of hostAddress at which the node and its pods reach the API server.
	apiServerPort = "6443"
	// registryURL is where the images of every registry are pulled from.
	registryURL = "http://" + hostAddress + ":5000"
)

// nodeInitCommand and forwardCommand are the subcommands of the processes that nodeUp starts.
const (
	nodeInitCommand = "node init"
	forwardCommand  = "forward"
)

func (l layout) node(elements ...string) string {
	return filepath.Join(append([]string{l.state(), "node"}, elements...)...)
}

// linked is there once this cluster's node owns the interfaces and the control groups.
func (l layout) linked() string { return l.node("linked") }

// nodeProcess returns the handle of the first process of the node.
func (c *cluster) nodeProcess() *process {
	p := c.process("node")
	p.namespaces = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET
	return p
}

func (c *cluster) forwarder() *process { return c.process("node-forwarder") }

// nodePrograms are the programs that a node needs from the machine.
var nodePrograms = []string{"containerd", "containerd-shim-runc-v2", "ctr", "runc", "iptables", "ip", "mount"}

// cniFolder is where Debian installs the CNI plugins.
const cniFolder = "/usr/lib/cni"

// nodeUp adds a node that runs containers to a cluster that is up, and returns when the node is ready. What a killed
// run left is removed first. When it fails, it leaves the logs and no process.
func (c *cluster) nodeUp(ctx context.Context) error {
	if !c.healthy(ctx) {
		return errDown
	}
	if _, alive := c.nodeProcess().running(); alive {
		if _, err := os.Stat(c.node("ready")); err == nil {
			c.say("the node is up already")
			return nil
		}
	}
	if err := c.clearNode(ctx); err != nil {
		return err
	}
	if err := checkMachine(); err != nil {
		return err
	}
	begin := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, startPatience, fmt.Errorf("not ready within %s", startPatience))
	defer cancel()
	if err := c.startNode(ctx); err != nil {
		return errors.Join(fmt.Errorf("start the node: %w", err), c.stopNode(context.WithoutCancel(ctx)))
	}
	c.say("the node is up: %s", time.Since(begin).Round(100*time.Millisecond))
	c.say("serve images at %s; hosts.toml of containerd names it for every registry", registryURL)
	return nil
}

// checkMachine reports what the machine lacks for a node.
func checkMachine() error {
	if os.Geteuid() != 0 {
		return errors.New("a node that runs containers needs root")
	}
	if programs["kubelet"] == nil {
		return errors.New("this binary has no kubelet: build it with -tags node")
	}
	var missing []string
	for _, name := range nodePrograms {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, name)
		}
	}
	for _, path := range []string{filepath.Join(cniFolder, "ptp"), filepath.Join(cniFolder, "host-local"), busybox} {
		if _, err := os.Stat(path); err != nil {
			missing = append(missing, path)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("not found: %s; install the Debian packages containerd, runc, containernetworking-plugins, "+
			"iptables, iproute2 and busybox-static", strings.Join(missing, ", "))
	}
	if _, err := net.InterfaceByName(hostInterface); err == nil {
		return fmt.Errorf("interface %s exists: another cluster of this machine has a node", hostInterface)
	}
	groups, err := podGroups()
	if err != nil || len(groups) > 0 {
		return errors.Join(err, fmt.Errorf("control groups %v exist: another kubelet uses this machine", groups))
	}
	return nil
}

func (c *cluster) startNode(ctx context.Context) error {
	if err := c.prepareNode(); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	c.say("starting containerd, kubelet and kube-proxy")
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own binary: %w", err)
	}
	first := c.nodeProcess()
	if err := first.start(self, c.node(), append(strings.Fields(nodeInitCommand), "--dir", c.root)...); err != nil {
		return err
	}
	who, alive := first.running()
	if !alive {
		return fmt.Errorf("the node ended; the end of its log:\n%s", tail(first.logFile, 20))
	}
	if err := c.connect(who.pid); err != nil {
		return err
	}
	to := client.RESTClient().Get().URL().Host
	gate := c.forwarder()
	if err := gate.start(self, c.node(), forwardCommand, net.JoinHostPort(hostAddress, apiServerPort), to); err != nil {
		return err
	}
	if err := furnishNode(ctx, client, c.layout); err != nil {
		return err
	}
	err = await(ctx, []*process{first, gate}, func() (bool, error) { return nodeRuns(ctx, client) })
	if err != nil {
		return err
	}
	return os.WriteFile(c.node("ready"), nil, 0o600)
}

// connect links the node's network namespace to the host. The interfaces end with the namespace.
func (c *cluster) connect(pid int) error {
	add := []string{"link", "add", hostInterface, "type", "veth", "peer", "name", nodeInterface, "netns", fmt.Sprint(pid)}
	if err := execute("ip", add...); err != nil {
		return err
	}
	if err := os.WriteFile(c.linked(), nil, 0o600); err != nil {
		return fmt.Errorf("mark the node as linked: %w", err)
	}
	for _, args := range [][]string{
		{"addr", "add", hostAddress + "/24", "dev", hostInterface},
		{"link", "set", hostInterface, "up"},
		{"route", "add", nodePodCIDR, "via", nodeAddress},
		{"route", "add", serviceCIDR, "via", nodeAddress},
	} {
		if err := execute("ip", args...); err != nil {
			return err
		}
	}
	return nil
}

func execute(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// nodeDown removes the node and everything that it left.
func (c *cluster) nodeDown(ctx context.Context) error {
	if _, err := os.Stat(c.node()); errors.Is(err, fs.ErrNotExist) {
		c.say("no node is up")
		return nil
	}
	if err := c.clearNode(ctx); err != nil {
		return err
	}
	// A cluster that is down has no objects of the node to remove.
	if client, err := c.client(); err == nil && serving(ctx, client) == nil {
		if err := unfurnishNode(ctx, client); err != nil {
			return err
		}
	}
	c.say("the node is down")
	return nil
}

// stopNode ends the processes of the node, and waits until the kernel has removed its interfaces.
func (c *cluster) stopNode(ctx context.Context) error {
	if err := errors.Join(c.nodeProcess().stop(ctx), c.forwarder().stop(ctx)); err != nil {
		return err
	}
	if _, err := os.Stat(c.linked()); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("find out whether the node is linked: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Second, fmt.Errorf("interface %s is still there", hostInterface))
	defer cancel()
	return poll(ctx, func() (bool, error) {
		_, err := net.InterfaceByName(hostInterface)
		return err != nil, nil // The error says that the interface is removed.
	})
}

// clearNode stops the node and removes what is left of it. It does nothing when there is none.
func (c *cluster) clearNode(ctx context.Context) error {
	if _, err := os.Stat(c.node()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := c.stopNode(ctx); err != nil {
		return err
	}
	switch _, err := os.Stat(c.linked()); {
	case err == nil:
		if err := removePodGroups(ctx); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("find out whether the node is linked: %w", err)
	}
	if err := c.removeMountPoints(); err != nil {
		return err
	}
	if err := os.RemoveAll(c.node()); err != nil {
		return fmt.Errorf("remove state of the node: %w", err)
	}
	return nil
}

// podGroups returns the control groups that a kubelet makes for its pods: one in each hierarchy of version 1, or one.
func podGroups() ([]string, error) {
	var found []string
	for _, pattern := range []string{"/sys/fs/cgroup/kubepods", "/sys/fs/cgroup/*/kubepods"} {
		groups, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("find control groups: %w", err)
		}
		found = append(found, groups...)
	}
	return found, nil
}

// removePodGroups removes the control groups of pods that have ended. A group whose last process has just ended may
// be busy for a moment.
func removePodGroups(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Second, errors.New("control groups of pods are still in use"))
	defer cancel()
	return poll(ctx, func() (bool, error) {
		groups, err := podGroups()
		for _, group := range groups {
			var folders []string
			// A folder that cannot be read has just been removed, or is found again by the next look.
			_ = filepath.WalkDir(group, func(path string, entry fs.DirEntry, err error) error {
				if err == nil && entry.IsDir() {
					folders = append(folders, path)
				}
				return nil
			})
			for _, folder := range slices.Backward(folders) {
				_ = syscall.Rmdir(folder) // The next look tells whether it is gone.
			}
		}
		return err == nil && len(groups) == 0, err
	})
}
