package hydrate

import (
	"cmp"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
)

// addNetwork notes what an object claims of the network: hosts with their paths,
// node ports and addresses.
func (f *footprint) addNetwork(o placedObject) {
	switch o.group() + "/" + o.kind() {
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

// addIngress notes host and path of each rule. The same host and path mean
// something else to another controller.
func (f *footprint) addIngress(o placedObject) {
	spec := o.at("spec")
	class := cmp.Or(spec.text("ingressClassName"), o.at("metadata").at("annotations").text("kubernetes.io/ingress.class"))
	for _, rule := range spec.maps("rules") {
		host := strings.ToLower(rule.text("host"))
		paths := rule.at("http").maps("paths")
		for _, at := range paths {
			f.addHost(o, "ingress "+class, host, at.text("path"))
		}
		if len(paths) == 0 {
			f.addHost(o, "ingress "+class, host, "")
		}
	}
	if len(spec.maps("rules")) == 0 && (spec["defaultBackend"] != nil || spec["backend"] != nil) {
		f.addHost(o, "ingress "+class, "", "")
	}
}

// addRoute notes hostname and path of each match for each gateway. A gateway of
// the release's own is another one.
func (f *footprint) addRoute(o placedObject) {
	spec := o.at("spec")
	hosts := spec.texts("hostnames")
	if len(hosts) == 0 {
		hosts = []string{""}
	}
	var paths []string
	for _, rule := range spec.maps("rules") {
		for _, match := range rule.maps("matches") {
			service := match.at("method")
			paths = append(paths, cmp.Or(match.at("path").text("value"), path.Join("/", service.text("service"), service.text("method"))))
		}
	}
	if len(paths) == 0 {
		paths = []string{"/"}
	}
	for _, parent := range spec.maps("parentRefs") {
		gateway := strings.Join([]string{"gateway", cmp.Or(parent.text("namespace"), o.namespace), parent.text("name"), parent.text("sectionName")}, " ")
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

// addHost notes a path of a host that a controller or gateway serves. No host
// means all of them.
func (f *footprint) addHost(o placedObject, server, host, at string) {
	at = path.Join("/", at)
	thing := "host " + cmp.Or(host, "*")
	if at != "/" {
		thing += ", path " + at
	}
	f.add(strings.Join([]string{"host", server, host, at}, "\x00"), claim{who: o.title(), thing: thing})
}

// addService notes what a Service claims of the nodes and of the cluster's
// addresses.
func (f *footprint) addService(o placedObject) {
	spec := o.at("spec")
	addresses, balanced := spec.texts("externalIPs"), spec.text("loadBalancerIP")
	for _, port := range spec.maps("ports") {
		if number := port.whole("nodePort"); number > 0 {
			f.addThing(o, "node port %d", number)
		}
		for _, address := range addresses {
			if f.full() {
				return
			}
			f.addThing(o, "external address %s, port %s", address, protocolPort(port, port.whole("port")))
		}
		if balanced != "" {
			f.addThing(o, "load balancer address %s, port %s", balanced, protocolPort(port, port.whole("port")))
		}
	}
	if number := spec.whole("healthCheckNodePort"); number > 0 {
		f.addThing(o, "node port %d", number)
	}
	for _, address := range append(spec.texts("clusterIPs"), spec.text("clusterIP")) {
		if _, err := netip.ParseAddr(address); err == nil {
			f.addThing(o, "cluster address %s", address)
		}
	}
}

func protocolPort(port object, number int) string {
	return fmt.Sprintf("%d/%s", number, cmp.Or(port.text("protocol"), "TCP"))
}

// addVolume notes the path on a node that a volume of the cluster stands for.
func (f *footprint) addVolume(o placedObject) {
	spec := o.at("spec")
	f.addHostPath(o, spec.at("hostPath"))
	f.addHostPath(o, spec.at("local"))
}

// addHostPath notes a path on the nodes that two instances would both write to.
// Sockets and devices are there to be shared.
func (f *footprint) addHostPath(o placedObject, volume object) {
	at := volume.text("path")
	switch volume.text("type") {
	case "Socket", "CharDevice", "BlockDevice":
		return
	}
	if at == "" || isCommonPath(path.Clean(at)) {
		return
	}
	f.addThing(o, "host path %s", path.Clean(at))
}

// commonPaths are places of a node that belong to its system and that any number
// of pods look at: the kernel's own views, its modules, the time zone, and the
// certificates that the node trusts. Nobody keeps data there.
var commonPaths = []string{
	"/dev", "/proc", "/sys", "/lib/modules", "/usr/lib/modules", "/usr/src", "/boot",
	"/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo", "/etc/machine-id", "/etc/os-release",
	"/etc/ssl/certs", "/usr/share/ca-certificates", "/run/udev", "/var/run/udev",
}

// isCommonPath reports whether a path on a node is one of the system's, or a
// socket of a service of the node that was mounted without its type.
func isCommonPath(at string) bool {
	running := strings.HasPrefix(at, "/run/") || strings.HasPrefix(at, "/var/run/")
	if running && strings.HasSuffix(at, ".sock") {
		return true
	}
	return slices.ContainsFunc(commonPaths, func(common string) bool {
		return at == common || strings.HasPrefix(at, common+"/")
	})
}

// addPods notes what the pods of an object claim of their node, wherever in the
// object they are described, and enters their labels into the index.
func (f *footprint) addPods(o placedObject, pods podIndex) {
	if podless[o.kind()] {
		return
	}
	var search func(value any, depth int)
	search = func(value any, depth int) {
		if depth > maxDepth {
			return
		}
		switch value := value.(type) {
		case object:
			if isPodSpec(value) {
				f.addPod(o, value)
			}
			if isPodSpec(value.at("spec")) {
				pods.add(o.namespace, value.at("metadata").at("labels"))
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
	search(o.object, 0)
}

// isPodSpec reports whether a map looks like a pod spec: it has containers with
// names.
func isPodSpec(spec object) bool {
	return slices.ContainsFunc(spec.maps("containers"), func(c object) bool { return c.text("name") != "" })
}

// addPod notes what one pod claims of its node.
func (f *footprint) addPod(o placedObject, spec object) {
	onHost := spec.yes("hostNetwork")
	written := map[string]bool{}
	mounted := map[string]bool{}
	for list := range podLists {
		for _, container := range spec.maps(list) {
			for _, port := range container.maps("ports") {
				f.addHostPort(o, port, onHost)
			}
			for _, mount := range container.maps("volumeMounts") {
				mounted[mount.text("name")] = true
				written[mount.text("name")] = written[mount.text("name")] || !mount.yes("readOnly")
			}
		}
	}
	for _, volume := range spec.maps("volumes") {
		// Two that only read do not disturb each other.
		if name := volume.text("name"); written[name] || !mounted[name] {
			f.addHostPath(o, volume.at("hostPath"))
		}
	}
}

func (f *footprint) addHostPort(o placedObject, port object, onHost bool) {
	number := port.whole("hostPort")
	if number == 0 && onHost {
		number = port.whole("containerPort")
	}
	if number == 0 {
		return
	}
	address := port.text("hostIP")
	if address == "" || address == "0.0.0.0" || address == "::" {
		f.addThing(o, "host port %s", protocolPort(port, number))
		return
	}
	f.addThing(o, "host port %s at %s", protocolPort(port, number), address)
}
