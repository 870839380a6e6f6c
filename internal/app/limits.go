package app

import (
	"flag"

	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/controllers/appinfo"
	"github.com/appmarket/operator/controllers/appinstalltask"
	"github.com/appmarket/operator/controllers/marketsource"
	"github.com/appmarket/operator/internal/fairlimiter"
)

// spareWorkers is how many reconciles of a kind run beside those that have a turn. They
// only put others in line, or cancel.
const spareWorkers = 4

// limits bounds what one namespace, or one instance, may have of the operator. Zero is no
// bound.
type limits struct {
	apps           int
	publishedBytes int64
	watches        int
	tasks          int
	taskBytes      int64
}

func (l *limits) addFlags(f *flag.FlagSet) {
	f.IntVar(&l.apps, "namespace-apps", 10000, "How many apps the sources of one namespace may have together; 0 for no limit.")
	f.Int64Var(&l.publishedBytes, "namespace-published-bytes", 5<<30, "Bytes of charts and reports that the sources of one namespace may have published; 0 for no limit.")
	f.IntVar(&l.watches, "namespace-watches", 400, "How many watches follow the objects of the instances of one namespace; 0 for no limit.")
	f.IntVar(&l.tasks, "instance-tasks", 100, "How many unfinished tasks one instance may have; 0 for no limit.")
	f.Int64Var(&l.taskBytes, "namespace-task-bytes", 16<<20, "Bytes of values that the unfinished tasks of one namespace may have together; 0 for no limit.")
}

// shareTurns lets each controller work on a bounded number of objects at once, fair among
// namespaces.
func setTurns(o *options, sources *marketsource.Reconciler, apps *appinfo.Reconciler, tasks *appinstalltask.Reconciler) {
	sources.Turns = fairlimiter.NewForShortWork(maxConcurrentSyncs, sources.Wake)
	apps.Turns = fairlimiter.NewForShortWork(o.hydrations, apps.Wake)
	tasks.Turns = fairlimiter.NewForShortWork(o.installs, tasks.Wake)
	// No source has the name of an app, so that what wakes the wrong one finds nothing.
	suspects := fairlimiter.New(1, func(key types.NamespacedName) {
		sources.Wake(key)
		apps.Wake(key)
	})
	sources.Suspects, apps.Suspects = suspects, suspects
}
