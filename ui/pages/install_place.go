package pages

import (
	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/kube"
)

// addPlace suggests the namespace, the name and the service account, or adds what is wrong with the entered ones.
func (v *installView) addPlace(r *request) error {
	isEntered := hasEntries(r)
	if !isEntered && v.Namespace == "" && len(v.Namespaces) == 1 {
		v.Namespace = v.Namespaces[0]
	}
	add := v.suggestPlace
	if isEntered {
		add = v.addPlaceProblems
	}
	if err := add(r); err != nil {
		return err
	}
	return v.addOnlyInstance(r)
}

// addPlaceProblems adds what is wrong with the entered namespace and name.
func (v *installView) addPlaceProblems(r *request) (err error) {
	if v.notShared, err = sharingProblem(r, v.App, v.Namespace); err != nil {
		return err
	}
	v.nameProblem, err = nameProblem(r, v.Action, v.appRef(), v.Namespace, v.Name, v.Key)
	return err
}

// suggestPlace suggests a name that no instance in the namespace has, and the service account of the newest
// instance. A Helm release that is adopted keeps its name.
func (v *installView) suggestPlace(r *request) error {
	all, err := listInstances(r, v.Namespace)
	if err != nil {
		return err
	}
	if !v.Adopt {
		v.Name = unusedInstanceName(v.Name, all, 1)
	}
	newest := -1
	for i := range all {
		if newest < 0 || all[newest].CreationTimestamp.Before(&all[i].CreationTimestamp) {
			newest = i
		}
	}
	if newest >= 0 {
		v.Account = all[newest].Spec.ServiceAccountName
	}
	return nil
}

// addOnlyInstance finds the instance of an app that allows only one instance in a namespace or in the cluster.
func (v *installView) addOnlyInstance(r *request) error {
	if v.Adopt || !v.Summary.IsSingleInstance() {
		return nil
	}
	all, err := listInstances(r, v.Namespace)
	if err == nil && v.Summary.ClusterSingleton {
		all, err = listAllInstances(r)
	}
	if err != nil {
		return err
	}
	for i := range all {
		other := &all[i]
		isOther := other.Namespace != v.Namespace || other.Name != v.Name
		if isOther && isSameApp(other.Spec.AppRef, v.appRef(), other.Namespace) && other.DeletionTimestamp.IsZero() && !isUninstalled(other) {
			v.OnlyInstance = other
		}
	}
	return nil
}

// listAllInstances returns the instances in all namespaces in which the user can list them.
func listAllInstances(r *request) ([]v1alpha1.AppInstance, error) {
	scope, err := r.ScopeFor(r.Context(), kube.Instances)
	if err != nil {
		return nil, err
	}
	return r.server.Cluster.ListInstances(r.Context(), scope)
}

// OnlyInstanceText returns that the app has the only instance that it allows, empty if it has none.
func (v *installView) OnlyInstanceText() string {
	switch {
	case v.OnlyInstance == nil:
		return ""
	case v.Summary.ClusterSingleton:
		return v.lang.Text("onlyInstance.inCluster", "Name", v.OnlyInstance.Name, "Namespace", v.OnlyInstance.Namespace)
	}
	return v.lang.Text("onlyInstance.inNamespace", "Name", v.OnlyInstance.Name, "Namespace", v.OnlyInstance.Namespace)
}
