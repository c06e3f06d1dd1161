#!/usr/bin/env bash
# Proves the fleet on this machine, with Docker and without an account (root, on Debian):
#
#   tests/fleet/machine/bench.sh FOLDER [pytest arguments]
#
# The worker image (ENGINE=cpu) is built by tests/docker/bench.sh and put into a registry. The simulated AWS, the registry
# and the machines live in a network of their own, 10.77.0.0/24, that no route leaves. FOLDER keeps the image for the
# next time, what each machine said, and the screens of `pdfbatch status`; `tests/docker/bench.sh down FOLDER` frees most.
set -euo pipefail

[[ $# -ge 1 ]] || {
  sed -n '4s/^#  *//p' "$0"
  exit 2
}
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../../.." && pwd)
mkdir -p "$1"
state=$(realpath "$1")
shift
export DOCKER_HOST=unix://$state/docker.sock IMAGE=pdfbatch:fleet
network=pdfbatch-bench
address=10.77.0.1
port=18322
registry=

tidy() {
  [[ -z $registry ]] || kill "$registry" || true
  local net
  for net in $(ip netns list | cut -d ' ' -f 1 | grep '^pdfbatch-'); do # machines too, if the tests were killed
    ip netns pids "$net" | xargs -r kill -KILL || true
    ip netns delete "$net"
  done
  [[ ! -e $state/pid ]] || kill "$(<"$state/pid")" || true
}

# serve_images ADDRESS [COMMAND…]: a registry there, started by the command
serve_images() {
  printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "%s"}\nlog: {level: error}\n' \
    "$state/registry" "$1:$port" >"$state/registry.yml"
  "${@:2}" docker-registry serve "$state/registry.yml" >"$state/registry.log" 2>&1 &
  registry=$!
  for _ in {1..50}; do
    "${@:2}" curl -sf "http://$1:$port/v2/" >/dev/null && return
    sleep 0.2
  done
  cat "$state/registry.log" >&2
  exit 1
}

# Prints the digest that the registry knows the image by.
push() {
  local name=127.0.0.1:$port/pdfbatch
  docker tag "$IMAGE" "$name"
  docker push --quiet "$name" >/dev/null
  docker inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$IMAGE" | grep -m 1 "^$name@" | cut -d @ -f 2
}

make_network() {
  ip netns add "$network"
  ip -n "$network" link set lo up
  ip -n "$network" link add pdfbatch0 type bridge
  ip -n "$network" addr add "$address/24" dev pdfbatch0
  ip -n "$network" link set pdfbatch0 up
}

trap tidy EXIT
command -v docker-registry >/dev/null || {
  apt-get update -qq
  apt-get install -qq -y --no-install-recommends docker-registry
}
"$repository/tests/docker/bench.sh" up "$state"
"$repository/tests/docker/bench.sh" build "$state" --build-arg ENGINE=cpu
serve_images 127.0.0.1
digest=$(push)
kill "$registry"
make_network
inside=(nsenter "--net=/run/netns/$network")
serve_images "$address" "${inside[@]}"
folder=$(mktemp -d "$state/run-XXXXXX")
cd "$repository"
PDFBATCH_FLEET_IMAGE=$address:$port/pdfbatch@$digest PDFBATCH_FLEET_FOLDER=$folder PDFBATCH_FLEET_ADDRESS=$address \
  "${inside[@]}" "${PYTHON:-python3}" -m pytest tests/fleet/machine -s "$@"
tail -n +1 "$folder"/screens/*
