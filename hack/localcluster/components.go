package main

import (
	_ "embed"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const (
	serviceCIDR = "10.96.0.0/16"
	// serviceIP is the first of serviceCIDR, which the API server gives to its own service.
	serviceIP = "10.96.0.1"
	podCIDR   = "10.244.0.0/16"
)

// auditPolicy leaves out what the cluster does by itself, so that what is logged was asked by somebody.
//
//go:embed audit-policy.yaml
var auditPolicy []byte

// A layout says where everything of the cluster is. Paths are absolute.
type layout struct {
	root string // the folder that the user named; it may hold other things than ours
}

func (l layout) state() string              { return filepath.Join(l.root, "cluster") }
func (l layout) bin() string                { return filepath.Join(l.root, "bin") }
func (l layout) kubeconfig() string         { return filepath.Join(l.root, "kubeconfig") }
func (l layout) env() string                { return filepath.Join(l.root, "env") }
func (l layout) auditLog() string           { return filepath.Join(l.root, "audit.log") }
func (l layout) kubectl() string            { return filepath.Join(l.root, "kubectl") }
func (l layout) pki(name string) string     { return filepath.Join(l.state(), "pki", name) }
func (l layout) user(name string) string    { return filepath.Join(l.state(), name+".kubeconfig") }
func (l layout) config(name string) string  { return filepath.Join(l.state(), name+".yaml") }
func (l layout) pidFile(name string) string { return filepath.Join(l.state(), "pids", name) }
func (l layout) logFile(name string) string { return filepath.Join(l.state(), "logs", name+".log") }

// endpoints are the addresses of one run.
type endpoints struct {
	etcd, etcdPeer, apiServer string
}

func chooseEndpoints() (endpoints, error) {
	ports, err := freePorts(3)
	if err != nil {
		return endpoints{}, err
	}
	at := func(port int) string {
		u := url.URL{Scheme: "https", Host: net.JoinHostPort(loopback, strconv.Itoa(port))}
		return u.String()
	}
	return endpoints{etcd: at(ports[0]), etcdPeer: at(ports[1]), apiServer: at(ports[2])}, nil
}

// prepare writes the certificates, kubeconfigs and configuration files that the programs are started with.
func (l layout) prepare(at endpoints, simulated bool) error {
	for _, file := range []string{l.pki("any"), l.pidFile("any"), l.logFile("any")} {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}
	configs := map[string][]byte{"audit-policy": auditPolicy}
	if simulated {
		text, err := stages()
		if err != nil {
			return err
		}
		configs["stages"] = []byte(text)
	}
	for name, data := range configs {
		if err := os.WriteFile(l.config(name), data, 0o600); err != nil {
			return fmt.Errorf("write configuration: %w", err)
		}
	}
	if err := l.prepareEtcd(); err != nil {
		return err
	}
	return l.prepareKubernetes(at.apiServer)
}

// simulates reports whether the cluster was started with simulated nodes.
func (l layout) simulates() bool {
	_, err := os.Stat(l.config("stages"))
	return err == nil
}

// prepareEtcd gives etcd an authority of its own: only the API server gets a certificate of it.
func (l layout) prepareEtcd() error {
	ca, err := newAuthority("localcluster-etcd", time.Now())
	if err != nil {
		return err
	}
	if err := ca.pair.write(l.pki(""), "etcd-ca"); err != nil {
		return err
	}
	for _, name := range []string{"etcd", "etcd-client"} {
		issued, err := ca.server(name)
		if err != nil {
			return err
		}
		if err := issued.write(l.pki(""), name); err != nil {
			return err
		}
	}
	return nil
}

func (l layout) prepareKubernetes(server string) error {
	ca, err := newAuthority("localcluster", time.Now())
	if err != nil {
		return err
	}
	serving, err := ca.server("kube-apiserver", serviceIP, hostAddress, "kubernetes", "kubernetes.default", "kubernetes.default.svc")
	if err != nil {
		return err
	}
	tokens, err := newAuthority("service-accounts", time.Now()) // Only its key is used.
	if err != nil {
		return err
	}
	toKubelets, err := ca.client("kube-apiserver-kubelet-client", "system:masters")
	if err != nil {
		return err
	}
	for name, p := range map[string]pair{
		"ca": ca.pair, "apiserver": serving, "service-accounts": tokens.pair, "apiserver-kubelet-client": toKubelets,
	} {
		if err := p.write(l.pki(""), name); err != nil {
			return err
		}
	}
	for user, to := range map[string]struct {
		path   string
		groups []string
	}{
		"admin":                          {path: l.kubeconfig(), groups: []string{"system:masters"}},
		"kwok":                           {path: l.user("kwok"), groups: []string{"system:masters"}},
		"system:kube-controller-manager": {path: l.user("kube-controller-manager")},
		"system:kube-scheduler":          {path: l.user("kube-scheduler")},
	} {
		credential, err := ca.client(user, to.groups...)
		if err != nil {
			return err
		}
		if err := writeKubeconfig(to.path, server, ca.pair.certificate, user, credential); err != nil {
			return err
		}
	}
	return nil
}

func (l layout) etcdArgs(at endpoints) []string {
	return []string{
		"--name=localcluster",
		"--data-dir=" + filepath.Join(l.state(), "etcd"),
		"--listen-client-urls=" + at.etcd,
		"--advertise-client-urls=" + at.etcd,
		"--listen-peer-urls=" + at.etcdPeer,
		"--initial-advertise-peer-urls=" + at.etcdPeer,
		"--initial-cluster=localcluster=" + at.etcdPeer,
		"--cert-file=" + l.pki("etcd.crt"), "--key-file=" + l.pki("etcd.key"),
		"--trusted-ca-file=" + l.pki("etcd-ca.crt"), "--client-cert-auth",
		"--peer-cert-file=" + l.pki("etcd.crt"), "--peer-key-file=" + l.pki("etcd.key"),
		"--peer-trusted-ca-file=" + l.pki("etcd-ca.crt"), "--peer-client-cert-auth",
		"--log-level=warn",
		// The state does not outlive the cluster: what a power cut would lose is of no use.
		"--unsafe-no-fsync",
	}
}

func (l layout) apiServerArgs(at endpoints) []string {
	address, _ := url.Parse(at.apiServer) // Built by us from a URL.
	return []string{
		"--etcd-servers=" + at.etcd,
		"--etcd-cafile=" + l.pki("etcd-ca.crt"),
		"--etcd-certfile=" + l.pki("etcd-client.crt"), "--etcd-keyfile=" + l.pki("etcd-client.key"),
		"--bind-address=" + loopback, "--advertise-address=" + loopback, "--secure-port=" + address.Port(),
		// A service may not point at loopback, and nothing in the cluster could reach it there.
		"--endpoint-reconciler-type=none",
		"--tls-cert-file=" + l.pki("apiserver.crt"), "--tls-private-key-file=" + l.pki("apiserver.key"),
		"--client-ca-file=" + l.pki("ca.crt"),
		"--kubelet-certificate-authority=" + l.pki("ca.crt"),
		"--kubelet-client-certificate=" + l.pki("apiserver-kubelet-client.crt"),
		"--kubelet-client-key=" + l.pki("apiserver-kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + l.pki("service-accounts.crt"),
		"--service-account-signing-key-file=" + l.pki("service-accounts.key"),
		"--service-cluster-ip-range=" + serviceCIDR,
		"--allow-privileged",
		"--audit-policy-file=" + l.config("audit-policy"),
		"--audit-log-path=" + l.auditLog(), "--audit-log-maxsize=500", "--audit-log-maxbackup=1",
	}
}

func (l layout) controllerManagerArgs() []string {
	return []string{
		"--kubeconfig=" + l.user("kube-controller-manager"),
		"--secure-port=0",
		"--leader-elect=false",
		"--use-service-account-credentials",
		"--service-account-private-key-file=" + l.pki("service-accounts.key"),
		"--root-ca-file=" + l.pki("ca.crt"),
		"--cluster-signing-cert-file=" + l.pki("ca.crt"), "--cluster-signing-key-file=" + l.pki("ca.key"),
		"--kube-api-qps=200", "--kube-api-burst=400",
	}
}

func (l layout) schedulerArgs() []string {
	return []string{
		"--kubeconfig=" + l.user("kube-scheduler"),
		"--secure-port=0",
		"--leader-elect=false",
		"--kube-api-qps=200", "--kube-api-burst=400",
	}
}

func (l layout) kwokArgs() []string {
	return []string{
		"--kubeconfig=" + l.user("kwok"),
		"--config=" + l.config("stages"),
		// A node that runs containers is none of kwok's.
		"--manage-all-nodes=false",
		"--manage-nodes-with-annotation-selector=" + simulatedAnnotation + "=fake",
		"--node-lease-duration-seconds=40",
		"--cidr=" + podCIDR,
	}
}
