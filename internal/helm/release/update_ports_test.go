package release_test

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/internal/helm/helmtest"
)

// newPortsChart returns a chart with a Service and a container that have the same port for TCP and UDP. A
// target of 0 omits the protocol.
func newPortsChart(tcp, udp int) string {
	service, container := "", ""
	for _, one := range []struct {
		protocol string
		target   int
	}{{"TCP", tcp}, {"UDP", udp}} {
		if one.target > 0 {
			service += fmt.Sprintf("{name: %[1]s, protocol: %[2]s, port: 53, targetPort: %[3]d}, ", strings.ToLower(one.protocol), one.protocol, one.target)
			container += fmt.Sprintf("{protocol: %s, containerPort: 1053, hostPort: %d}, ", one.protocol, one.target)
		}
	}
	return fmt.Sprintf(portsChart, "["+service+"]", "["+container+"]")
}

// portsOf lists the ports of Service a and of Deployment a.
func portsOf(t testing.TB, namespace string) []string {
	t.Helper()
	g := NewWithT(t)
	var found []string
	service, err := helmtest.Server.Admin.CoreV1().Services(namespace).Get(t.Context(), "a", metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	for _, one := range service.Spec.Ports {
		found = append(found, fmt.Sprintf("%s %d", one.Protocol, one.TargetPort.IntValue()))
	}
	workload, err := helmtest.Server.Admin.AppsV1().Deployments(namespace).Get(t.Context(), "a", metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	for _, one := range workload.Spec.Template.Spec.Containers[0].Ports {
		found = append(found, fmt.Sprintf("container %s %d", one.Protocol, one.HostPort))
	}
	return found
}

func expectedPorts(tcp, udp int) []string {
	return []string{
		fmt.Sprintf("TCP %d", tcp), fmt.Sprintf("UDP %d", udp),
		fmt.Sprintf("container TCP %d", tcp), fmt.Sprintf("container UDP %d", udp),
	}
}

func TestUpgradeKeepsBothProtocolsOfAPort(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	ctx := t.Context()
	to := func(text string) {
		t.Helper()
		_, err := c.Upgrade(ctx, helmtest.NewSpec(map[string]string{"a.yaml": text}))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(c.Drift(ctx, "blog")).To(BeEmpty())
	}
	_, err := c.Install(ctx, helmtest.NewSpec(map[string]string{"a.yaml": newPortsChart(1053, 0)}))
	g.Expect(err).NotTo(HaveOccurred())
	to(newPortsChart(1053, 1053))
	g.Expect(portsOf(t, namespace)).To(Equal(expectedPorts(1053, 1053)))
	service, err := helmtest.Server.Admin.CoreV1().Services(namespace).Get(ctx, "a", metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	udp := service.Spec.Ports[1].NodePort

	to(newPortsChart(2053, 2053))
	g.Expect(portsOf(t, namespace)).To(Equal(expectedPorts(2053, 2053)))
	service, err = helmtest.Server.Admin.CoreV1().Services(namespace).Get(ctx, "a", metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(service.Spec.Ports[1].NodePort).To(Equal(udp), "what the cluster has given stays")

	_, err = c.Rollback(ctx, helmtest.NewRollback(2))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(portsOf(t, namespace)).To(Equal(expectedPorts(1053, 1053)))
	to(newPortsChart(0, 1053))
	g.Expect(portsOf(t, namespace)).To(Equal([]string{"UDP 1053", "container UDP 1053"}))
}
