package app

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"go.uber.org/zap/zapcore"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/internal/status"
)

func TestLog(t *testing.T) {
	g := NewWithT(t)
	o, err := parseFlags([]string{"--store-dir=/tmp/store", "--repository-url=http://charts.example/", "--allowed-directories=/a,/b"})
	g.Expect(err).NotTo(HaveOccurred())
	var out bytes.Buffer
	o.log.DestWriter = &out
	o.log.TimeEncoder = func(_ time.Time, e zapcore.PrimitiveArrayEncoder) { e.AppendString("now") }
	setLogger(&o.log)

	logStart(o, repositoryURL(o))
	of := logConstructor(ctrl.Log, "AppInstance")
	of(nil).Info("Starting EventSource", "source", "func source: 0x33b7bc0")
	of(nil).Info("Starting Controller")
	log := of(&reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "demo", Name: "hello"}})
	log.WithName("a").Info("Condition changed", "reason", "Ready")
	log.Error(errors.New("the server is down"), "Reconciler error")
	reported := status.AsReported(errors.New("canceled"))
	log.Error(reconcile.TerminalError(reported), "Reconciler error")
	log.Error(fmt.Errorf("again: %w", reported), "Reconciler error")

	g.Expect(strings.Split(strings.TrimSpace(out.String()), "\n")).To(HaveExactElements(
		And(HavePrefix(`{"level":"info","ts":"now","msg":"Starting AppMarket","version":"`), HaveSuffix(
			`,"store":"/tmp/store","repository":"http://charts.example","flag.allowed-directories":"/a,/b","flag.repository-url":"http://charts.example/","flag.store-dir":"/tmp/store"}`)),
		`{"level":"info","ts":"now","logger":"a","msg":"Condition changed","kind":"AppInstance","namespace":"demo","name":"hello","reason":"Ready"}`,
		`{"level":"error","ts":"now","msg":"Reconciler error","kind":"AppInstance","namespace":"demo","name":"hello","error":"the server is down"}`,
	))
}
