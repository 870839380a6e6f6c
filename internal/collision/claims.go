package collision

import (
	"cmp"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/objects"
)

// addNetwork adds the claims of an object to the network: hosts with their paths, node
// ports and addresses. It also adds the host path of a PersistentVolume.
func (f *Footprint) addNetwork(o placedObject) {
	switch o.Group() + "/" + o.Kind() {
	case "networking.k8s.io/Ingress", "extensions/Ingress":
		f.addIngress(o)
	case "gateway.networking.k8s.io/HTTPRoute", "gateway.networking.k8s.io/GRPCRoute", "gateway.networking.k8s.io/TLSRoute":
		f.addRoute(o)
	case "/Service":
		f.addService(o)
	case "/PersistentVolume":
		f.addVolume(o)
	}
}

// addIngress adds the host and path of each rule. The ingress class is part of the claim
// because another controller may serve the same host and path without a conflict.
func (f *Footprint) addIngress(o placedObject) {
	spec := o.At("spec")
	class := cmp.Or(spec.Text("ingressClassName"), o.At("metadata").At("annotations").Text("kubernetes.io/ingress.class"))
	for _, rule := range spec.Maps("rules") {
		host := strings.ToLower(rule.Text("host"))
		paths := rule.At("http").Maps("paths")
		for _, at := range paths {
			f.addHost(o, "ingress "+class, host, at.Text("path"))
		}
		if len(paths) == 0 {
			f.addHost(o, "ingress "+class, host, "")
		}
	}
	if len(spec.Maps("rules")) == 0 && (spec["defaultBackend"] != nil || spec["backend"] != nil) {
		f.addHost(o, "ingress "+class, "", "")
	}
}

// addRoute adds the hostname and path of each match for each gateway. A gateway that the
// release itself contains has a different name in each instance, so its routes do not
// collide.
func (f *Footprint) addRoute(o placedObject) {
	spec := o.At("spec")
	hosts := spec.Texts("hostnames")
	if len(hosts) == 0 {
		hosts = []string{""}
	}
	var paths []string
	for _, rule := range spec.Maps("rules") {
		for _, match := range rule.Maps("matches") {
			service := match.At("method")
			paths = append(paths, cmp.Or(match.At("path").Text("value"), path.Join("/", service.Text("service"), service.Text("method"))))
		}
	}
	if len(paths) == 0 {
		paths = []string{"/"}
	}
	for _, parent := range spec.Maps("parentRefs") {
		gateway := strings.Join([]string{"gateway", cmp.Or(parent.Text("namespace"), o.namespace), parent.Text("name"), parent.Text("sectionName")}, " ")
		for _, host := range hosts {
			for _, at := range paths {
				if f.full() {
					return
				}
				f.addHost(o, gateway, strings.ToLower(host), at)
			}
		}
	}
}

// addHost adds a path of a host that a controller or a gateway serves. An empty host stands
// for all hosts.
func (f *Footprint) addHost(o placedObject, server, host, at string) {
	at = path.Join("/", at)
	thing := "host " + cmp.Or(host, "*")
	if at != "/" {
		thing += ", path " + at
	}
	f.add(strings.Join([]string{"host", server, host, at}, "\x00"), claim{who: o.title(), thing: thing})
}

// addService adds the claims of a Service to node ports, and to external, load balancer and
// cluster addresses.
func (f *Footprint) addService(o placedObject) {
	spec := o.At("spec")
	addresses, balanced := spec.Texts("externalIPs"), spec.Text("loadBalancerIP")
	for _, port := range spec.Maps("ports") {
		if number := port.Int("nodePort"); number > 0 {
			f.addThing(o, "node port %d", number)
		}
		for _, address := range addresses {
			if f.full() {
				return
			}
			f.addThing(o, "external address %s, port %s", address, protocolPort(port, port.Int("port")))
		}
		if balanced != "" {
			f.addThing(o, "load balancer address %s, port %s", balanced, protocolPort(port, port.Int("port")))
		}
	}
	if number := spec.Int("healthCheckNodePort"); number > 0 {
		f.addThing(o, "node port %d", number)
	}
	for _, address := range append(spec.Texts("clusterIPs"), spec.Text("clusterIP")) {
		if _, err := netip.ParseAddr(address); err == nil {
			f.addThing(o, "cluster address %s", address)
		}
	}
}

func protocolPort(port objects.Map, number int) string {
	return fmt.Sprintf("%d/%s", number, cmp.Or(port.Text("protocol"), "TCP"))
}

// addVolume adds the path on the node that a PersistentVolume refers to.
func (f *Footprint) addVolume(o placedObject) {
	spec := o.At("spec")
	f.addHostPath(o, spec.At("hostPath"))
	f.addHostPath(o, spec.At("local"))
}

// addHostPath adds a path on the nodes that both instances would write to. Sockets and
// devices are skipped because they are intended for sharing.
func (f *Footprint) addHostPath(o placedObject, volume objects.Map) {
	at := volume.Text("path")
	switch volume.Text("type") {
	case "Socket", "CharDevice", "BlockDevice":
		return
	}
	if at == "" || isCommonPath(path.Clean(at)) {
		return
	}
	f.addThing(o, "host path %s", path.Clean(at))
}

// commonPaths are paths of the node's operating system that many pods mount: kernel file
// systems, kernel modules, the time zone and trusted certificates. Apps do not store data
// there.
var commonPaths = []string{
	"/dev", "/proc", "/sys", "/lib/modules", "/usr/lib/modules", "/usr/src", "/boot",
	"/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo", "/etc/machine-id", "/etc/os-release",
	"/etc/ssl/certs", "/usr/share/ca-certificates", "/run/udev", "/var/run/udev",
}

// isCommonPath reports whether a path on a node belongs to the operating system or is a
// socket of a node service that is mounted without the type Socket.
func isCommonPath(at string) bool {
	running := strings.HasPrefix(at, "/run/") || strings.HasPrefix(at, "/var/run/")
	if running && strings.HasSuffix(at, ".sock") {
		return true
	}
	return slices.ContainsFunc(commonPaths, func(common string) bool {
		return at == common || strings.HasPrefix(at, common+"/")
	})
}

// addPods adds the claims of an object's pods to their node, for pod specs at any depth of
// the object, and adds the labels of the pods to the index.
func (f *Footprint) addPods(o placedObject, pods podIndex) {
	if images.KindsWithoutPods[o.Kind()] {
		return
	}
	var search func(value any, depth int)
	search = func(value any, depth int) {
		if depth > objects.MaxDepth {
			return
		}
		switch value := value.(type) {
		case objects.Map:
			if isPodSpec(value) {
				f.addPod(o, value)
			}
			if isPodSpec(value.At("spec")) {
				pods.add(o.namespace, value.At("metadata").At("labels"))
			}
			for _, field := range value {
				search(field, depth+1)
			}
		case []any:
			for _, item := range value {
				search(item, depth+1)
			}
		}
	}
	search(o.Map, 0)
}

// isPodSpec reports whether a map looks like a pod spec, which has containers with names.
func isPodSpec(spec objects.Map) bool {
	return slices.ContainsFunc(spec.Maps("containers"), func(c objects.Map) bool { return c.Text("name") != "" })
}

// addPod adds the claims of one pod to its node.
func (f *Footprint) addPod(o placedObject, spec objects.Map) {
	onHost := spec.IsTrue("hostNetwork")
	written := map[string]bool{}
	mounted := map[string]bool{}
	for list := range images.PodListFields {
		for _, container := range spec.Maps(list) {
			for _, port := range container.Maps("ports") {
				f.addHostPort(o, port, onHost)
			}
			for _, mount := range container.Maps("volumeMounts") {
				mounted[mount.Text("name")] = true
				written[mount.Text("name")] = written[mount.Text("name")] || !mount.IsTrue("readOnly")
			}
		}
	}
	for _, volume := range spec.Maps("volumes") {
		// Volumes that are only read do not conflict.
		if name := volume.Text("name"); written[name] || !mounted[name] {
			f.addHostPath(o, volume.At("hostPath"))
		}
	}
}

func (f *Footprint) addHostPort(o placedObject, port objects.Map, onHost bool) {
	number := port.Int("hostPort")
	if number == 0 && onHost {
		number = port.Int("containerPort")
	}
	if number == 0 {
		return
	}
	address := port.Text("hostIP")
	if address == "" || address == "0.0.0.0" || address == "::" {
		f.addThing(o, "host port %s", protocolPort(port, number))
		return
	}
	f.addThing(o, "host port %s at %s", protocolPort(port, number), address)
}
