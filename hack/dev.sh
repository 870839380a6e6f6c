#!/bin/bash
# dev.sh run|up|down|pages: a whole market on this machine, for `make run`, `make up` and `make down`; pages starts the
# web pages again and prints a new link.
#
#   CLUSTER=current  use the present kubeconfig, and the operator as that user, instead of a local cluster
#   CATALOG=dir      also offer the charts of this folder, as a source named catalog with the profile Olares
#
# Everything it starts listens on loopback and keeps its state under .local.
set -euo pipefail
cd "$(dirname "$0")/.."

local_dir=$PWD/.local
cluster=${CLUSTER:-local}
catalog=${CATALOG:-}
catalog_given=$catalog
kubectl=$local_dir/bin/kubectl
wait_seconds=${WAIT_SECONDS:-600}

say() { echo "$*"; }
fail() { echo "$*" >&2; exit 1; }

# A process is known by its number and the time it started: numbers are used again.
started_at() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # shellcheck disable=SC2086 # Its fields are wanted.
  set -- ${stat##*) }
  [ "$1" != Z ] && echo "${20}"
}

# alive NAME: the program that was started under this name still runs. Sets pid.
alive() {
  local start
  [ -r "$local_dir/$1.pid" ] && read -r pid start <"$local_dir/$1.pid" && [ "$(started_at "$pid")" = "$start" ]
}

# start NAME PROGRAM ARGS...: apart from the terminal, so that Ctrl-C reaches this script alone.
start() {
  local name=$1
  shift
  set -m
  "$@" >"$local_dir/$name.log" 2>&1 </dev/null &
  local child=$!
  set +m
  disown "$child"
  echo "$child $(started_at "$child")" >"$local_dir/$name.pid"
}

# stop NAME: ask it to end, and make it after ten seconds.
stop() {
  local pid waited=0
  if alive "$1"; then
    kill "$pid" 2>/dev/null || true
    while alive "$1"; do
      if ((++waited > 100)); then kill -9 "$pid" 2>/dev/null || true; fi
      sleep 0.1
    done
  fi
  rm -f "$local_dir/$1.pid"
}

# await NAME COMMAND...: until the command succeeds, as long as the program lives. Returns 1 if the program ended because
# another program has taken its port.
await() {
  local name=$1 until=$((SECONDS + wait_seconds))
  shift
  until "$@"; do
    if ! alive "$name"; then
      if grep -q 'address already in use' "$local_dir/$name.log"; then return 1; fi
      tail -n 30 "$local_dir/$name.log" >&2
      fail "$name ended; the end of its log is above"
    fi
    ((SECONDS < until)) || fail "not ready after $wait_seconds s; see $local_dir/$name.log"
    sleep 0.2
  done
}

# retry COMMAND...: as long as another program, such as those of another checkout, takes the ports first.
retry() {
  local attempt
  for attempt in 1 2 3 4 5; do
    if "$@"; then return; fi
  done
  fail "$1: other programs took the ports $attempt times; try again"
}

# free_port FROM: the first port from there on at which nobody answers.
free_port() {
  local port=$1
  while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
  echo "$port"
}

# answers PORT PATH: an HTTP server says OK.
answers() {
  local status
  status=$( (exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'GET %s HTTP/1.0\r\n\r\n' "$2" >&3 && head -n 1 <&3) 2>/dev/null) || return 1
  [[ $status == *" 200 "* ]]
}

start_cluster() {
  if [ "$cluster" = current ]; then
    [ -x "$kubectl" ] || kubectl=$(command -v kubectl) || fail "CLUSTER=current needs kubectl"
    say "using the present kubeconfig"
    return
  fi
  # What was published for the objects of a cluster that is gone means nothing to the next one.
  "$local_dir/bin/localcluster" status --dir "$local_dir" >/dev/null 2>&1 || rm -rf "$local_dir/store"
  "$local_dir/bin/localcluster" up --dir "$local_dir"
  set -a
  # shellcheck disable=SC1091 # It was written just now.
  . "$local_dir/env"
  set +a
}

install_kinds() {
  say "installing the kinds"
  "$kubectl" apply --server-side -f config/crd/bases >/dev/null
  "$kubectl" wait --for=condition=Established -f config/crd/bases --timeout=60s >/dev/null
}

# operator_kubeconfig: in a local cluster the operator is a service account with the permissions of its role, and no
# more, and the policy for service accounts applies, as where the operator is installed. Its kubeconfig is the admin's
# with a token instead of the certificate.
operator_kubeconfig() {
  if [ "$cluster" = current ]; then
    echo "${KUBECONFIG:-$HOME/.kube/config}"
    return
  fi
  local config=$local_dir/operator.kubeconfig namespace=appmarket-system token
  {
    "$kubectl" apply --server-side -f config/rbac/role.yaml -f config/rbac/people.yaml
    "$kubectl" apply --server-side -k config/admission
    "$kubectl" create namespace "$namespace" --dry-run=client -o yaml | "$kubectl" apply --server-side -f -
    "$kubectl" create serviceaccount appmarket -n "$namespace" --dry-run=client -o yaml | "$kubectl" apply --server-side -f -
    "$kubectl" create clusterrolebinding appmarket --clusterrole=appmarket --serviceaccount="$namespace:appmarket" \
      --dry-run=client -o yaml | "$kubectl" apply --server-side -f -
  } >/dev/null
  token=$("$kubectl" create token appmarket -n "$namespace" --duration=8760h)
  (umask 077 && "$kubectl" config view --raw >"$config")
  "$kubectl" --kubeconfig "$config" config set-credentials operator --token="$token" >/dev/null
  "$kubectl" --kubeconfig "$config" config set-context --current --user=operator >/dev/null
  "$kubectl" --kubeconfig "$config" config delete-user admin >/dev/null
  echo "$config"
}

start_sample_market() {
  local port
  port=$(free_port 8880)
  start samplemarket bin/samplemarket --listen "127.0.0.1:$port" --charts config/samples/charts
  await samplemarket grep -q '^http' "$local_dir/samplemarket.log" || return 1
  samples=127.0.0.1:$port
}

# serves PROBE: the operator that was started here serves the repository. Another program may answer at its ports.
serves() {
  grep -q 'Serving the repository' "$local_dir/operator.log" && answers "$1" /readyz
}

start_operator() {
  local port probe config directories=()
  port=$(free_port 8879)
  probe=$(free_port $((port > 8890 ? port + 1 : 8890)))
  repository=http://127.0.0.1:$port
  config=$(operator_kubeconfig) || fail "cannot make the operator's kubeconfig"
  [ -z "$catalog" ] || directories=(--allowed-directories="market=$catalog")
  mkdir -p "$local_dir/store"
  start operator bin/appmarket \
    --kubeconfig="$config" \
    --store-dir="$local_dir/store" \
    --repository-bind-address="127.0.0.1:$port" --repository-url="$repository" \
    --registry-mirror="samples.appmarket.io=http://$samples" \
    --allow-loopback-addresses --market-namespaces=market \
    --health-probe-bind-address="127.0.0.1:$probe" --metrics-bind-address=0 \
    --zap-encoder=console --zap-stacktrace-level=panic \
    "${directories[@]}"
  await operator serves "$probe"
}

# start_pages: the web pages, for the user of the kubeconfig, with a link that works once and for 5 minutes.
start_pages() {
  local port
  port=$(free_port 8900)
  start pages bin/appmarket ui --auth=local --terminal --bind-address="127.0.0.1:$port" --repository-url="$repository" \
    --kubeconfig="${KUBECONFIG:-$HOME/.kube/config}"
  await pages grep -q '^pages ' "$local_dir/pages.log" || return 1
  link=$(sed -n 's/^pages *//p' "$local_dir/pages.log")
}

apply_samples() {
  say "applying the sample market"
  sed "s|http://127.0.0.1:8880|http://$samples|" config/samples/marketsource.yaml | "$kubectl" apply --server-side -f - >/dev/null
  "$kubectl" apply --server-side -f config/samples/tenant.yaml >/dev/null
  await operator filled samples || fail "the operator ended; see $local_dir/operator.log"
  [ -n "$catalog" ] || return 0
  say "applying the catalog of $catalog"
  "$kubectl" apply --server-side -f - >/dev/null <<YAML
apiVersion: appmarket.io/v1alpha1
kind: MarketSource
metadata: {name: catalog, namespace: market}
spec:
  type: Directory
  directory: {path: "$catalog"}
  allowedNamespaces: {from: All}
  platform: {profile: Olares}
YAML
  await operator filled catalog || fail "the operator ended; see $local_dir/operator.log"
}

# filled SOURCE: every app of the source is served, or says why it is not.
filled() {
  local total ready failed suspended
  read -r total ready failed suspended < <("$kubectl" get marketsource "$1" -n market -o \
    jsonpath='{.status.apps.total} {.status.apps.ready} {.status.apps.failed} {.status.apps.suspended}{"\n"}') || return 1
  ((${total:-0} > 0 && ready + failed + suspended >= total))
}

write_env() {
  if [ -f "$local_dir/env" ]; then grep -v '^MARKET_' "$local_dir/env" >"$local_dir/env.new" || true; fi
  echo "MARKET_REPO_URL=$repository" >>"$local_dir/env.new"
  mv "$local_dir/env.new" "$local_dir/env"
}

hint() {
  local k=kubectl first=""
  echo
  "$kubectl" get marketsources -n market
  echo
  say "pages       $link"
  say "            (the link works once and for 5 minutes; make pages prints a new one)"
  say "repository  $repository"
  if [ "$cluster" = local ]; then
    say "kubeconfig  $KUBECONFIG"
    k=.local/kubectl
    first="source .local/env; export KUBECONFIG; "
  fi
  cat <<TEXT

things to try:
  ${first}$k get appinfos -n market
  $k apply -f config/samples/task-install-hello.yaml && $k wait -n demo --for=condition=Succeeded appinstalltask/install-hello
  make plugin; bin/kubectl-market search -n demo; bin/kubectl-market install samples/hello -n demo --service-account appmarket-tenant --wait
  helm repo add samples $repository/market/samples && helm search repo samples

The app broken of the sample market fails on purpose, to show an error.
TEXT
  [ "$cluster" != local ] || say "The nodes are simulated: apps have no logs and cannot be opened."
}

up() {
  [ -z "$catalog" ] || catalog=$(cd "$catalog" 2>/dev/null && pwd) || fail "CATALOG: there is no folder $catalog_given"
  mkdir -p "$local_dir"
  stop pages
  stop operator
  stop samplemarket
  start_cluster
  install_kinds
  say "starting the sample market"
  retry start_sample_market
  say "starting the operator"
  retry start_operator
  apply_samples
  retry start_pages
  write_env
  hint
}

# pages: end all sessions, and print a link for a new one.
pages() {
  alive operator || fail "nothing runs; start it with make up"
  set -a
  # shellcheck disable=SC1091 # It was written by up.
  . "$local_dir/env"
  set +a
  repository=$MARKET_REPO_URL
  stop pages
  retry start_pages
  say "$link"
}

down() {
  stop pages
  stop operator
  stop samplemarket
  if [ -x "$local_dir/bin/localcluster" ]; then "$local_dir/bin/localcluster" down --dir "$local_dir"; fi
  rm -rf "$local_dir/store" "$local_dir"/operator.* "$local_dir"/pages.* "$local_dir"/samplemarket.* "$local_dir"/env "$local_dir"/env.new
}

run() {
  trap 'exit 130' INT TERM HUP
  trap 'trap "" INT TERM HUP; echo; say stopping; down' EXIT
  up
  echo
  say "the operator's log follows; Ctrl-C stops everything"
  alive operator && tail -n +1 -f --pid="$pid" "$local_dir/operator.log" &
  wait $! || true
  fail "the operator ended"
}

case ${1:-} in
  run | up | down | pages) "$1" ;;
  *) fail "usage: hack/dev.sh run|up|down|pages" ;;
esac
