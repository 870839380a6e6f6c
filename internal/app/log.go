package app

import (
	"flag"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/internal/status"
)

// setLogger configures one log for this program, controller-runtime and client-go.
func setLogger(o *zap.Options) {
	log := zap.New(zap.UseFlagOptions(o))
	log = log.WithSink(quietSink{log.GetSink()})
	ctrl.SetLogger(log)
	klog.SetLogger(log)
}

// logConstructor adds the object of a reconcile to its log lines.
func logConstructor(log logr.Logger, kind string) func(*reconcile.Request) logr.Logger {
	log = log.WithValues("kind", kind)
	return func(request *reconcile.Request) logr.Logger {
		if request == nil {
			return log
		}
		return log.WithValues("namespace", request.Namespace, "name", request.Name)
	}
}

// quietSink logs two kinds of lines at debug level only: lines of the framework about its own
// components, and errors of reconciles that are reported in the status of an object. The
// latter are logged when they occur, and need not be logged again for each retry.
type quietSink struct{ logr.LogSink }

// framework are the prefixes of lines that controller-runtime logs at each start and end.
var framework = []string{
	"Starting EventSource", "Starting Controller", "Starting workers", "Shutdown signal received, waiting for all workers to finish",
	"All workers finished", "Stopping and waiting for", "Wait completed, proceeding to shutdown the manager",
	"Starting metrics server", "Serving metrics server", "Shutting down metrics server", "starting server",
}

func (s quietSink) Info(level int, message string, fields ...any) {
	for _, start := range framework {
		if strings.HasPrefix(message, start) {
			level++
			break
		}
	}
	if s.Enabled(level) {
		s.LogSink.Info(level, message, fields...)
	}
}

func (s quietSink) Error(err error, message string, fields ...any) {
	if !status.IsReported(err) {
		s.LogSink.Error(err, message, fields...)
	} else if s.Enabled(1) {
		s.LogSink.Info(1, message, append(fields, "error", err.Error())...)
	}
}

func (s quietSink) WithValues(fields ...any) logr.LogSink {
	return quietSink{s.LogSink.WithValues(fields...)}
}
func (s quietSink) WithName(name string) logr.LogSink { return quietSink{s.LogSink.WithName(name)} }

// logStart logs the version of the program and its configuration.
func logStart(o *options, repositoryURL string) {
	fields := []any{"version", ProgramVersion(), "store", o.store.description(), "repository", repositoryURL}
	o.flags.Visit(func(f *flag.Flag) { fields = append(fields, "flag."+f.Name, f.Value.String()) })
	ctrl.Log.Info("Starting AppMarket", fields...)
}
