package app

import (
	"flag"

	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/controllers/appinfo"
	"github.com/appmarket/operator/controllers/appinstalltask"
	"github.com/appmarket/operator/controllers/marketsource"
	"github.com/appmarket/operator/internal/fairlimiter"
)

// spareWorkers is the number of reconciles of a kind in addition to the ones with a slot.
// They only queue or cancel operations.
const spareWorkers = 4

// limits are the limits for one namespace or one instance. Zero means no limit.
type limits struct {
	apps           int
	publishedBytes int64
	uploadedBytes  int64
	watches        int
	tasks          int
	taskBytes      int64
}

func (l *limits) addFlags(f *flag.FlagSet) {
	f.IntVar(&l.apps, "namespace-apps", 10000, "Maximum number of apps of all sources of a namespace. 0 means no limit.")
	f.Int64Var(&l.publishedBytes, "namespace-published-bytes", 5<<30, "Maximum size, in bytes, of the charts and reports that the sources of a namespace publish. 0 means no limit.")
	f.Int64Var(&l.uploadedBytes, "namespace-upload-bytes", 5<<30, "Maximum size, in bytes, of the charts that are uploaded to the sources of a namespace. 0 means no limit.")
	f.IntVar(&l.watches, "namespace-watches", 400, "Maximum number of watches on the objects of the instances of a namespace, and of watches on the Secrets and ConfigMaps that they read. 0 means no limit.")
	f.IntVar(&l.tasks, "instance-tasks", 100, "Maximum number of unfinished tasks of an instance. 0 means no limit.")
	f.Int64Var(&l.taskBytes, "namespace-task-bytes", 16<<20, "Maximum size, in bytes, of the values of all unfinished tasks of a namespace. 0 means no limit.")
}

// setTurns limits the concurrent work of each controller, fair among namespaces.
func setTurns(o *options, sources *marketsource.Reconciler, apps *appinfo.Reconciler, tasks *appinstalltask.Reconciler) {
	sources.Turns = fairlimiter.NewForServers(maxConcurrentSyncs, maxSlowSyncs, sources.Wake)
	apps.Turns = fairlimiter.NewForServers(o.hydrations, o.hydrations, apps.Wake)
	tasks.Turns = fairlimiter.NewForShortWork(o.installs, tasks.Wake)
	// Sources and apps have different names, so waking the wrong one has no effect.
	suspects := fairlimiter.New(1, func(key types.NamespacedName) {
		sources.Wake(key)
		apps.Wake(key)
	})
	sources.Suspects, apps.Suspects = suspects, suspects
}
