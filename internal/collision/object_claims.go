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
func (f *ClaimSet) addNetwork(o placedObject) {
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
func (f *ClaimSet) addIngress(o placedObject) {
	spec := o.MapAt("spec")
	class := cmp.Or(spec.TextAt("ingressClassName"), o.MapAt("metadata").MapAt("annotations").TextAt("kubernetes.io/ingress.class"))
	for _, rule := range spec.MapsAt("rules") {
		host := strings.ToLower(rule.TextAt("host"))
		paths := rule.MapAt("http").MapsAt("paths")
		for _, at := range paths {
			f.addHost(o, "ingress "+class, host, at.TextAt("path"))
		}
		if len(paths) == 0 {
			f.addHost(o, "ingress "+class, host, "")
		}
	}
	if len(spec.MapsAt("rules")) == 0 && (spec["defaultBackend"] != nil || spec["backend"] != nil) {
		f.addHost(o, "ingress "+class, "", "")
	}
}

// addRoute adds the hostname and path of each match for each gateway. A gateway that the
// release itself contains has a different name in each instance, so its routes do not
// collide.
func (f *ClaimSet) addRoute(o placedObject) {
	spec := o.MapAt("spec")
	hosts := spec.TextsAt("hostnames")
	if len(hosts) == 0 {
		hosts = []string{""}
	}
	var paths []string
	for _, rule := range spec.MapsAt("rules") {
		for _, match := range rule.MapsAt("matches") {
			service := match.MapAt("method")
			paths = append(paths, cmp.Or(match.MapAt("path").TextAt("value"), path.Join("/", service.TextAt("service"), service.TextAt("method"))))
		}
	}
	if len(paths) == 0 {
		paths = []string{"/"}
	}
	for _, parent := range spec.MapsAt("parentRefs") {
		gateway := strings.Join([]string{"gateway", cmp.Or(parent.TextAt("namespace"), o.namespace), parent.TextAt("name"), parent.TextAt("sectionName")}, " ")
		for _, host := range hosts {
			for _, at := range paths {
				if f.isFull() {
					return
				}
				f.addHost(o, gateway, strings.ToLower(host), at)
			}
		}
	}
}

// addHost adds a path of a host that a controller or a gateway serves. An empty host stands
// for all hosts.
func (f *ClaimSet) addHost(o placedObject, server, host, at string) {
	at = path.Join("/", at)
	thing := "host " + cmp.Or(host, "*")
	if at != "/" {
		thing += ", path " + at
	}
	f.addClaim(strings.Join([]string{"host", server, host, at}, "\x00"), claim{who: o.kindAndName(), thing: thing})
}

// addService adds the claims of a Service to node ports, and to external, load balancer and
// cluster addresses.
func (f *ClaimSet) addService(o placedObject) {
	spec := o.MapAt("spec")
	addresses, balanced := spec.TextsAt("externalIPs"), spec.TextAt("loadBalancerIP")
	for _, port := range spec.MapsAt("ports") {
		if number := port.IntAt("nodePort"); number > 0 {
			f.addThing(o, "node port %d", number)
		}
		for _, address := range addresses {
			if f.isFull() {
				return
			}
			f.addThing(o, "external address %s, port %s", address, protocolPort(port, port.IntAt("port")))
		}
		if balanced != "" {
			f.addThing(o, "load balancer address %s, port %s", balanced, protocolPort(port, port.IntAt("port")))
		}
	}
	if number := spec.IntAt("healthCheckNodePort"); number > 0 {
		f.addThing(o, "node port %d", number)
	}
	for _, address := range append(spec.TextsAt("clusterIPs"), spec.TextAt("clusterIP")) {
		if _, err := netip.ParseAddr(address); err == nil {
			f.addThing(o, "cluster address %s", address)
		}
	}
}

func protocolPort(port objects.Map, number int) string {
	return fmt.Sprintf("%d/%s", number, cmp.Or(port.TextAt("protocol"), "TCP"))
}

// addVolume adds the path on the node that a PersistentVolume refers to.
func (f *ClaimSet) addVolume(o placedObject) {
	spec := o.MapAt("spec")
	f.addHostPath(o, spec.MapAt("hostPath"))
	f.addHostPath(o, spec.MapAt("local"))
}

// addHostPath adds a path on the nodes that both instances would write to. Sockets and
// devices are skipped because they are intended for sharing.
func (f *ClaimSet) addHostPath(o placedObject, volume objects.Map) {
	at := volume.TextAt("path")
	switch volume.TextAt("type") {
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
func (f *ClaimSet) addPods(o placedObject, pods podIndex) {
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
			if isPodSpec(value.MapAt("spec")) {
				pods.addLabels(o.namespace, value.MapAt("metadata").MapAt("labels"))
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
	return slices.ContainsFunc(spec.MapsAt("containers"), func(c objects.Map) bool { return c.TextAt("name") != "" })
}

// addPod adds the claims of one pod to its node.
func (f *ClaimSet) addPod(o placedObject, spec objects.Map) {
	onHost := spec.IsTrue("hostNetwork")
	written := map[string]bool{}
	mounted := map[string]bool{}
	for list := range images.PodListFields {
		for _, container := range spec.MapsAt(list) {
			for _, port := range container.MapsAt("ports") {
				f.addHostPort(o, port, onHost)
			}
			for _, mount := range container.MapsAt("volumeMounts") {
				mounted[mount.TextAt("name")] = true
				written[mount.TextAt("name")] = written[mount.TextAt("name")] || !mount.IsTrue("readOnly")
			}
		}
	}
	for _, volume := range spec.MapsAt("volumes") {
		// Volumes that are only read do not conflict.
		if name := volume.TextAt("name"); written[name] || !mounted[name] {
			f.addHostPath(o, volume.MapAt("hostPath"))
		}
	}
}

func (f *ClaimSet) addHostPort(o placedObject, port objects.Map, onHost bool) {
	number := port.IntAt("hostPort")
	if number == 0 && onHost {
		number = port.IntAt("containerPort")
	}
	if number == 0 {
		return
	}
	address := port.TextAt("hostIP")
	if address == "" || address == "0.0.0.0" || address == "::" {
		f.addThing(o, "host port %s", protocolPort(port, number))
		return
	}
	f.addThing(o, "host port %s at %s", protocolPort(port, number), address)
}
