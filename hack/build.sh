#!/bin/bash
# build.sh FOLDER OUTPUT ARGUMENTS...: builds a program of the module in a folder, as `go build ARGUMENTS` does. While
# modules are downloaded and packages compiled, it prints their count every 15 seconds. OUTPUT is replaced only if the
# build succeeds. While the linker runs, which prints nothing, it says so.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$1 name=$2 output=$PWD/$2
shift 2
mkdir -p "$(dirname "$output")"

# read_stat PROCESS: sets fields to the state, the parent and further fields of a process, and program to its name.
read_stat() {
  local line
  { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
  program=${line#*(} program=${program%%)*}
  read -r -a fields <<<"${line##*) }"
}

# is_linking: the go command has started the linker. The go command is the process of the build or its child.
is_linking() {
  local folder
  for folder in /proc/[0-9]*; do
    if read_stat "${folder#/proc/}" && [ "$program" = link ]; then
      if [ "${fields[1]}" = "$build" ] || { read_stat "${fields[1]}" && [ "${fields[1]}" = "$build" ]; }; then return; fi
    fi
  done
  return 1
}

# With -v, the go command prints a line for each package that it compiles; packages in the build cache have none.
exec 3< <(go -C "$folder" build -v -o "$output.new" "$@" 2>&1)
build=$!
trap 'kill "$build" 2>/dev/null || true' EXIT
downloaded=0 compiled=0 next=15
until [ "${code:-0}" = 1 ]; do
  code=0
  read -r -t 5 -u 3 line || code=$?
  if ((code == 0)); then
    case $line in
      "go: downloading "*) downloaded=$((downloaded + 1)) ;;
      *[!a-zA-Z0-9./_~-]*) echo "$line" >&2 ;;
      *) compiled=$((compiled + 1)) ;;
    esac
  fi
  if ((SECONDS >= next)); then
    if is_linking; then
      echo "  $name: linking, $SECONDS s"
    else
      echo "  $name: downloaded $downloaded modules and compiled $compiled packages in $SECONDS s"
    fi
    next=$((SECONDS + 15))
  fi
done
code=0
wait "$build" || code=$?
trap - EXIT
((code == 0)) || exit "$code"
mv "$output.new" "$output"
((SECONDS < 15)) || echo "  $name: built in $SECONDS s"
