#!/usr/bin/env bash
# Builds the image and tests it on a bare Debian machine without Docker and without a registry (root):
#
#   tests/docker/bench.sh up FOLDER      Docker, its daemon, and a base image made by debootstrap; state goes to FOLDER
#   tests/docker/bench.sh build FOLDER [docker build arguments]    the image pdfbatch:bench; DOCKERFILE another one
#   tests/docker/bench.sh test FOLDER [pytest arguments]           tests/docker against it; PYTHON runs them
#   tests/docker/bench.sh down FOLDER    ends the daemon, removes its data, keeps the base's root folder for next time
#
# This machine's certificates and pip settings reach the build, and only the build: the base image carries the
# certificates, build arguments carry the settings, and a folder of wheels is served on loopback.
set -euo pipefail

usage() {
  sed -n '4,7s/^#  *//p' "$0"
  exit 2
}

[[ $# -ge 2 ]] || usage
command=$1
mkdir -p "$2"
state=$(realpath "$2")
shift 2
repository=$(cd "$(dirname "$0")/../.." && pwd)
root=$state/base
export DOCKER_HOST=unix://$state/docker.sock
IMAGE=${IMAGE:-pdfbatch:bench}
WHEELS_PORT=${WHEELS_PORT:-18321}

install_docker() {
  command -v dockerd >/dev/null && command -v debootstrap >/dev/null && return
  apt-get update -qq
  apt-get install -qq -y --no-install-recommends docker.io debootstrap
}

start_daemon() {
  docker info >/dev/null 2>&1 && return
  dockerd --data-root "$state/data" --exec-root "$state/exec" --pidfile "$state/pid" --host "$DOCKER_HOST" \
    --iptables=false --ip6tables=false --bridge=none >"$state/dockerd.log" 2>&1 &
  for _ in {1..60}; do
    docker info >/dev/null 2>&1 && return
    sleep 0.5
  done
  tail "$state/dockerd.log" >&2
  exit 1
}

# A mirror of Debian's that this machine uses already, else Debian's own.
debian_mirror() {
  local mirror
  # shellcheck disable=SC2016 # apt's own syntax
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/\?$' || true)
  echo "${mirror:-http://deb.debian.org/debian}"
}

make_base() {
  if [[ ! -e $root/etc/debian_version ]]; then
    debootstrap --variant=minbase bookworm "$root.new" "$(debian_mirror)"
    rm -rf "$root.new/var/cache/apt/archives" "$root.new/var/lib/apt/lists"
    mv "$root.new" "$root"
  fi
  mkdir -p "$root/usr/local/share/ca-certificates"
  find /usr/local/share/ca-certificates -name '*.crt' -exec cp -t "$root/usr/local/share/ca-certificates" {} +
  tar --directory "$root" --create . | docker import - base:bookworm
}

# One --build-arg for each setting of pip's in this environment, and for its plain files (global and user).
pip_arguments() {
  local name value
  for name in index-url extra-index-url trusted-host; do
    value=$(pip config get "global.$name" 2>/dev/null || true)
    [[ $value == *file:* ]] || [[ -z $value ]] || printf -- '--build-arg\nPIP_%s=%s\n' "$(tr a-z- A-Z_ <<<"$name")" "$value"
  done
}

# On a port of its own and always the same: it is part of what layers are cached by.
serve_wheels() {
  python3 -m http.server --bind 127.0.0.1 --directory "$1" "$WHEELS_PORT" >"$state/wheels.log" 2>&1 &
  server=$!
  trap 'kill "$server"' EXIT
}

build() {
  local arguments=()
  mapfile -t arguments < <(pip_arguments)
  if [[ -d ${PIP_FIND_LINKS:-} ]]; then
    serve_wheels "$PIP_FIND_LINKS"
    arguments+=(--build-arg "PIP_FIND_LINKS=http://127.0.0.1:$WHEELS_PORT/")
  fi
  docker build --network host --file "${DOCKERFILE:-$repository/docker/Dockerfile}" --tag "$IMAGE" \
    --build-arg BASE=base:bookworm --build-arg PIP_CERT=/etc/ssl/certs/ca-certificates.crt "${arguments[@]}" "$@" \
    "$repository"
}

stop_daemon() {
  [[ ! -e $state/pid ]] || kill "$(<"$state/pid")"
  for _ in {1..60}; do
    [[ -e $state/pid ]] || break
    sleep 0.5
  done
  umount "$state"/exec/netns/* 2>/dev/null || true # a container on the host's network leaves a mount behind
  rm -rf "$state/data" "$state/exec"
}

case $command in
  up)
    install_docker
    start_daemon
    make_base
    ;;
  build) build "$@" ;;
  test)
    cd "$repository"
    PDFBATCH_IMAGE=$IMAGE "${PYTHON:-python3}" -m pytest tests/docker "$@"
    ;;
  down) stop_daemon ;;
  *) usage ;;
esac
