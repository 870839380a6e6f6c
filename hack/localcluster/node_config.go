package main

import (
	"fmt"
	"os"
	"path/filepath"
)

const containerdSocket = "/run/containerd/containerd.sock"

// prepareNode writes the certificates and the configuration that the node is started with.
func (l layout) prepareNode() error {
	for _, folder := range []string{"pki", "logs", "cni", "registries/_default", "pods"} {
		if err := os.MkdirAll(l.node(folder), 0o700); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}
	if err := l.makeMountPoints(); err != nil {
		return err
	}
	if err := l.issueNodeCertificates(); err != nil {
		return err
	}
	if err := writePauseImage(l.node("pause.tar")); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"containerd.toml":                l.containerdConfig(),
		"registries/_default/hosts.toml": hostsConfig,
		"cni/10-localcluster.conflist":   l.networkConfig(),
		"kubelet.yaml":                   l.kubeletConfig(),
	} {
		if err := os.WriteFile(l.node(name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("write configuration: %w", err)
		}
	}
	return nil
}

func (l layout) issueNodeCertificates() error {
	ca, err := readAuthority(l.pki(""), "ca")
	if err != nil {
		return err
	}
	const user = "system:node:" + nodeName
	serving, err := ca.server(user, nodeName, nodeAddress)
	if err != nil {
		return err
	}
	if err := serving.write(l.node("pki"), "kubelet"); err != nil {
		return err
	}
	for name, who := range map[string]struct {
		user   string
		groups []string
	}{
		"kubelet":    {user, []string{"system:nodes"}},
		"kube-proxy": {"system:kube-proxy", nil},
	} {
		credential, err := ca.client(who.user, who.groups...)
		if err != nil {
			return err
		}
		const server = "https://" + hostAddress + ":" + apiServerPort
		if err := writeKubeconfig(l.node(name+".kubeconfig"), server, ca.pair.certificate, who.user, credential); err != nil {
			return err
		}
	}
	return nil
}

// containerdConfig keeps everything of containerd in the folder of the node and in the node's own /run. It is read by
// containerd 1.6 and newer. Containers may not lower their oom_score_adj where the node itself is a container.
func (l layout) containerdConfig() string {
	return fmt.Sprintf(`version = 2
root = %q
state = "/run/containerd"
[grpc]
  address = %q
[plugins."io.containerd.internal.v1.opt"]
  path = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = %q
`, l.node("containerd"), containerdSocket, l.node("opt"), pauseImage, cniFolder, l.node("cni"), l.node("registries"))
}

// hostsConfig sends every pull to the one registry.
const hostsConfig = `server = "` + registryURL + `"
[host."` + registryURL + `"]
  capabilities = ["pull", "resolve"]
`

// networkConfig routes each pod by an interface of its own. No bridge is needed, and so no kernel module by which
// bridged packets pass the rules of services.
func (l layout) networkConfig() string {
	return fmt.Sprintf(`{
  "cniVersion": "0.4.0",
  "name": "localcluster",
  "plugins": [
    {
      "type": "ptp",
      "ipMasq": true,
      "ipam": {
        "type": "host-local",
        "dataDir": %q,
        "ranges": [[{"subnet": %q}]],
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`, l.node("addresses"), nodePodCIDR)
}

// kubeletConfig never evicts for lack of disk or memory: what is left of them is the business of the machine. It
// takes control groups of version 1 as well, which kubelet refuses by default.
func (l layout) kubeletConfig() string {
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
containerRuntimeEndpoint: unix://%s
readOnlyPort: 0
healthzPort: 0
tlsCertFile: %q
tlsPrivateKeyFile: %q
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: %q}
authorization: {mode: Webhook}
podLogsDir: %q
failSwapOn: false
evictionHard: {memory.available: "0%%", nodefs.available: "0%%", nodefs.inodesFree: "0%%", imagefs.available: "0%%"}
imageGCHighThresholdPercent: 100
nodeStatusUpdateFrequency: 5s
`, containerdSocket, l.node("pki", "kubelet.crt"), l.node("pki", "kubelet.key"), l.pki("ca.crt"), l.node("pods"))
}

func (l layout) kubeletArgs() []string {
	return []string{
		"--config=" + l.node("kubelet.yaml"),
		"--kubeconfig=" + l.node("kubelet.kubeconfig"),
		"--root-dir=" + l.node("kubelet"),
		"--hostname-override=" + nodeName,
		"--node-ip=" + nodeAddress,
	}
}

// kubeProxyArgs leave the limits of connection tracking alone, which are those of the whole machine.
func (l layout) kubeProxyArgs() []string {
	return []string{
		"--kubeconfig=" + l.node("kube-proxy.kubeconfig"),
		"--hostname-override=" + nodeName,
		"--proxy-mode=iptables",
		"--cluster-cidr=" + nodePodCIDR,
		"--conntrack-max-per-core=0", "--conntrack-min=0",
		"--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s",
	}
}

func (l layout) containerdArgs() []string {
	return []string{"--config=" + l.node("containerd.toml")}
}

func (l layout) nodeLog(name string) string { return filepath.Join(l.node("logs"), name+".log") }
