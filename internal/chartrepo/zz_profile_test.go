package chartrepo_test

import (
	"fmt"
	"context"
	"net"
	"os"
	"os/exec"
	"runtime/pprof"
	"strings"
	"syscall"
	"testing"
	"bytes"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	"github.com/appmarket/operator/internal/chartrepo"
)

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func nginxCPU(pids []string) time.Duration {
	var t time.Duration
	for _, p := range pids {
		b, _ := os.ReadFile("/proc/" + p + "/stat")
		f := strings.Fields(string(b))
		u, _ := strconv.Atoi(f[13]); s, _ := strconv.Atoi(f[14])
		t += time.Duration(u+s) * 10 * time.Millisecond
	}
	return t
}

func TestZZProfile(t *testing.T) {
	if os.Getenv("ZZ") == "" { t.Skip() }
	store := open(t, t.TempDir(), nil)
	body := bytes.Repeat([]byte("x"), 5600)
	publish(t, store, chartOf(t, main, "app", "1.0.0", body))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil { t.Fatal(err) }
	service := &chartrepo.Service{Log: logr.Discard(), Listener: l, Server: chartrepo.NewServer("", chartrepo.Handler(store, chartrepo.HandlerOptions{}))}
	ctx, cancel := context.WithCancel(t.Context())
	go service.Start(ctx)
	defer cancel()
	// nginx
	dir := t.TempDir()
	os.MkdirAll(dir+"/pages", 0o755)
	os.WriteFile(dir+"/pages/archive", body, 0o644)
	nl, _ := net.Listen("tcp", "127.0.0.1:0")
	naddr := nl.Addr().String(); nl.Close()
	conf := fmt.Sprintf("user root;\ndaemon off;\nworker_processes 2;\npid %[1]s/nginx.pid;\nerror_log stderr;\nevents { worker_connections 1024; }\nhttp { access_log off; default_type application/octet-stream; sendfile on; tcp_nopush on; keepalive_requests 1000000000; open_file_cache max=100; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s; server { listen %[2]s; root %[1]s/pages; } }\n", dir, naddr)
	os.WriteFile(dir+"/nginx.conf", []byte(conf), 0o644)
	ng := exec.Command("/usr/sbin/nginx", "-p", dir, "-c", dir+"/nginx.conf", "-e", "stderr")
	if err := ng.Start(); err != nil { t.Fatal(err) }
	defer func() { ng.Process.Signal(syscall.SIGTERM); ng.Wait() }()
	time.Sleep(300*time.Millisecond)
	out, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", ng.Process.Pid, ng.Process.Pid))
	pids := strings.Fields(string(out))
	if p := os.Getenv("ZZPROF"); p != "" {
		f, _ := os.Create(p)
		pprof.StartCPUProfile(f)
		defer func() { pprof.StopCPUProfile(); f.Close() }()
	}
	for range 5 {
		a := cpu()
		o, err := exec.Command("/tmp/askbin", l.Addr().String(), "/market/main/charts/app-1.0.0.tgz", "2s").Output()
		if err != nil { t.Fatal(err) }
		n, _ := strconv.Atoi(strings.TrimSpace(string(o)))
		ours := cpu()-a
		b := nginxCPU(pids)
		o, err = exec.Command("/tmp/askbin", naddr, "/archive", "2s").Output()
		if err != nil { t.Fatal(err) }
		n2, _ := strconv.Atoi(strings.TrimSpace(string(o)))
		theirs := nginxCPU(pids)-b
		fmt.Printf("ours %d/s %.1fus cpu/req   nginx %d/s %.1fus   ratio %.2f\n", n/2, float64(ours.Microseconds())/float64(n), n2/2, float64(theirs.Microseconds())/float64(n2), float64(n)/float64(n2))
	}
}
