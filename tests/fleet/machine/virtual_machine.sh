#!/bin/bash
# A virtual machine of the bench, from power on: virtual_machine.sh FOLDER REGISTRY
# Docker starts with nothing in it, then the user data runs, as cloud-init would run it.
set -u
folder=$1
dockerd --data-root "$folder/docker" --exec-root "$folder/exec" --pidfile "$folder/docker.pid" --host "$DOCKER_HOST" \
  --iptables=false --ip6tables=false --bridge=none --insecure-registry "$2" >"$folder/dockerd.log" 2>&1 &
until docker info >/dev/null 2>&1; do sleep 0.2; done
bash "$folder/user-data.sh"
exec sleep infinity # a machine is there until it is stopped
