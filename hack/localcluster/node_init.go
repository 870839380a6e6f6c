package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// mountPoints are folders that kubelet and the CNI plugins use whatever their configuration says, and the folder of
// the node that each is in the node's mount namespace.
var mountPoints = map[string]string{
	"/var/lib/cni":        "var-lib-cni",
	"/var/lib/kubelet":    "var-lib-kubelet",
	"/var/log/containers": "var-log-containers",
}

// kernelSettings are what kubelet sets for the whole machine, unless they have these values. The node is shown files
// that have them.
var kernelSettings = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

func (l layout) madeFolders() string { return l.node("made-folders") }

// makeMountPoints makes the folders to mount on that the machine lacks, and keeps their names in a file first, so that
// they can be removed.
func (l layout) makeMountPoints() error {
	var missing []string
	for path := range mountPoints {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			missing = append(missing, path)
		}
	}
	if err := os.WriteFile(l.madeFolders(), []byte(strings.Join(missing, "\n")), 0o600); err != nil {
		return fmt.Errorf("note folders: %w", err)
	}
	for path, name := range mountPoints {
		for _, folder := range []string{path, l.node(name)} {
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return fmt.Errorf("make folder: %w", err)
			}
		}
	}
	return nil
}

func (l layout) removeMountPoints() error {
	text, err := os.ReadFile(l.madeFolders())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read folders: %w", err)
	}
	for _, path := range strings.Fields(string(text)) {
		if err := syscall.Rmdir(path); err != nil && !errors.Is(err, syscall.ENOENT) {
			return fmt.Errorf("remove folder %s: %w", path, err)
		}
	}
	return nil
}

// runNode is the first process of the node's namespaces. It sets them up, starts the programs and ends, and with it
// the node, when one of them ends.
func (c *cluster) runNode() error {
	if os.Getpid() != 1 {
		return errors.New("node init is started by node up, in namespaces of its own")
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() {
		<-signals
		os.Exit(0)
	}()
	if err := c.mountNode(); err != nil {
		return err
	}
	if err := c.configureNetwork(); err != nil {
		return err
	}
	running := map[int]string{}
	launch := func(name, program string, args ...string) error {
		pid, err := c.spawn(name, program, args...)
		running[pid] = name
		return err
	}
	if err := launch("containerd", "containerd", c.containerdArgs()...); err != nil {
		return err
	}
	if err := c.importPauseImage(); err != nil {
		return err
	}
	for name, args := range map[string][]string{"kubelet": c.kubeletArgs(), "kube-proxy": c.kubeProxyArgs()} {
		if err := launch(name, filepath.Join(c.bin(), name), args...); err != nil {
			return err
		}
	}
	return c.reap(running)
}

// mountNode makes the mount namespace independent of the machine's. What the node mounts is seen in its containers.
func (c *cluster) mountNode() error {
	mount := func(source, target, kind string, flags uintptr) error {
		if err := syscall.Mount(source, target, kind, flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", target, err)
		}
		return nil
	}
	if err := errors.Join(
		mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE),
		mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED),
		mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC),
		mount("tmpfs", "/run", "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV),
		os.MkdirAll("/run/netns", 0o755),
	); err != nil {
		return err
	}
	for path, name := range mountPoints {
		if err := mount(c.node(name), path, "", syscall.MS_BIND); err != nil {
			return err
		}
	}
	for name, value := range kernelSettings {
		target := filepath.Join("/proc/sys", name)
		if now, err := os.ReadFile(target); err != nil || strings.TrimSpace(string(now)) == value {
			continue
		}
		source := c.node("kernel-" + strings.ReplaceAll(name, "/", "-"))
		if err := os.WriteFile(source, []byte(value+"\n"), 0o600); err != nil {
			return fmt.Errorf("write kernel setting: %w", err)
		}
		if err := mount(source, target, "", syscall.MS_BIND); err != nil {
			return err
		}
	}
	return nil
}

// configureNetwork waits for the interface that node up moves here, and configures it.
func (c *cluster) configureNetwork() error {
	if err := waitFor(func() error { _, err := net.InterfaceByName(nodeInterface); return err }); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"addr", "add", nodeAddress + "/24", "dev", nodeInterface},
		{"link", "set", nodeInterface, "up"},
		{"route", "add", "default", "via", hostAddress},
	} {
		if err := execute("ip", args...); err != nil {
			return err
		}
	}
	return nil
}

// importPauseImage gives containerd the image of which every pod has a container.
func (c *cluster) importPauseImage() error {
	return waitFor(func() error {
		return execute("ctr", "--address", containerdSocket, "--namespace", "k8s.io", "images", "import", c.node("pause.tar"))
	})
}

// waitFor repeats what fails, for a minute.
func waitFor(do func() error) error {
	var err error
	for begin := time.Now(); time.Since(begin) < time.Minute; time.Sleep(pollInterval) {
		if err = do(); err == nil {
			return nil
		}
	}
	return err
}

// spawn starts a program with its output in a log. Its end is noticed by reap.
func (c *cluster) spawn(name, program string, args ...string) (int, error) {
	path := program
	if !filepath.IsAbs(program) {
		var err error
		if path, err = exec.LookPath(program); err != nil {
			return 0, fmt.Errorf("start %s: %w", name, err)
		}
	}
	log, err := os.Create(c.nodeLog(name))
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", name, err)
	}
	defer log.Close()
	child, err := os.StartProcess(path, append([]string{path}, args...), &os.ProcAttr{
		Dir: c.node(), Env: append(os.Environ(), "KUBECONFIG="), Files: []*os.File{nil, log, log},
	})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", name, err)
	}
	return child.Pid, nil
}

// reap collects every process that ends, the orphans of containerd as well, until one is a program of the node.
func (c *cluster) reap(running map[int]string) error {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("wait for processes: %w", err)
		}
		if name, ours := running[pid]; ours {
			return fmt.Errorf("%s ended with status %d; the end of its log:\n%s", name, status.ExitStatus(), tail(c.nodeLog(name), 20))
		}
	}
}
