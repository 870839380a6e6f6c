package pages_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

func TestEntrancesAreOpened(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	b := w.signIn(t, w.tenant, "jane", viewer)
	w.addInstance(t, w.tenant, "opened", w.ref, func(i *v1alpha1.AppInstance) {
		i.Status.Entrances = []v1alpha1.Entrance{
			{Name: "hidden", Hidden: true, URL: "https://hidden.example"}, {Name: "web", Title: "Wiki", Host: "wiki", Port: 80, URL: "https://wiki.example/start?a=b"},
			{Name: "admin", Host: "admin", Port: 8080},
		}
	})
	const link = `href="https://wiki.example/start?a=b"`
	page := shows(t, b, "/instances/"+w.tenant+"/opened", link).text
	g.Expect(page).To(And(ContainSubstring(`target="_blank" rel="noopener noreferrer"`), Not(ContainSubstring("hidden.example")),
		ContainSubstring("kubectl market open opened admin --namespace "+w.tenant), ContainSubstring("kubectl port-forward -n "+w.tenant+" service/admin 8080:8080"), Not(ContainSubstring("service/wiki"))))
	g.Expect(shows(t, b, "/instances?namespace="+w.tenant, link).text).To(ContainSubstring("How to open"), "the instance wiki has an entrance without a URL")
	w.addInstanceWith(t, w.tenant, "stopped", v1alpha1.AppInstanceSpec{AppRef: w.ref, DesiredState: v1alpha1.StateStopped}, func(i *v1alpha1.AppInstance) {
		i.Status.Stopped = true
		i.Status.Entrances[0].URL = "https://stopped.example"
	})
	shows(t, b, "/instances?namespace="+w.tenant, "Stopped")
	g.Expect(b.get(t, "/instances?namespace="+w.tenant).text).NotTo(ContainSubstring("stopped.example"), "workloads that do not run cannot be opened")
}

// TestHostileEntrances shows entrances whose URLs come from the objects of a chart.
func TestHostileEntrances(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	b := w.signIn(t, w.tenant, "jane", viewer)
	for i, address := range []string{ // The pattern of the API accepts them.
		"https://bank.example@attacker.example/", "http:///x", `https://attacker.example"onclick="alert(1)`, "https://attacker.example:port/", "https://[attacker/<script>",
	} {
		name := "hostile-" + string(rune('a'+i))
		w.addInstance(t, w.tenant, name, w.ref, func(instance *v1alpha1.AppInstance) { instance.Status.Entrances[0].URL = address })
		page := shows(t, b, "/instances/"+w.tenant+"/"+name, "only reachable in the cluster").text
		g.Expect(activeMarkup(t, page)).To(BeEmpty(), address)
		g.Expect(page).NotTo(ContainSubstring(`target="_blank"`), address)
	}
	shows(t, b, "/instances?namespace="+w.tenant, "hostile-e")
	g.Expect(b.get(t, "/instances?namespace="+w.tenant).text).NotTo(ContainSubstring(`target="_blank"`))
}
