#!/bin/bash
# Runs one instance of a fleet from boot to termination. Launch inserts `export` lines after the first line
# (userdata.py); cloud-init runs the result once, as root. docs/aws.md, "What stops it", explains it for users.
#
# There is one way out, `leave`: it shuts the instance down, which terminates it. AWS then boots a replacement for the
# same slice, unless the fleet was deleted before. What limits the number of boots:
# - S3 answers: strikes, the boots since the last progress. A Spot interruption does not count.
# - S3 does not answer, EC2 does: a tag on the fleet counts such boots; number PDFBATCH_MAX_BOOTS deletes the fleet.
# - Nothing answers: the fleet's ValidUntil. Each instance shuts down within minutes, so little of that time is billed.
# shellcheck shell=bash
set -u
export LC_ALL=C.UTF-8 AWS_PAGER='' AWS_RETRY_MODE=standard AWS_MAX_ATTEMPTS=8
export AWS_METADATA_SERVICE_NUM_ATTEMPTS=5 AWS_METADATA_SERVICE_TIMEOUT=5

worker=worker-$WORKER_ID
state=$S3_OUTPUT_PREFIX.pdfbatch/$PDFBATCH_RUN
folder=$(mktemp -d "${TMPDIR:-/var/tmp}/pdfbatch.XXXXXX")
log=$folder/boot.log empty=$folder/empty
touch "$log" "$empty"
s3_is_silent='' failed_boots_tag=pdfbatch:boots-in-vain
PDFBATCH_BOOTED=$(date -u +%FT%TZ)
PDFBATCH_INSTANCE='' PDFBATCH_INSTANCE_TYPE='' PDFBATCH_ZONE=''
export PDFBATCH_BOOTED PDFBATCH_INSTANCE PDFBATCH_INSTANCE_TYPE PDFBATCH_ZONE
export DOCKER_CONFIG=$folder/docker # for the registry's token: cloud-init sets no HOME

aws() { timeout 120 aws "$@"; } # limits its retries

say() { echo "$(date -u +%FT%TZ) $*"; }

seconds_left() { echo $(($(date -ud "$PDFBATCH_END" +%s) - $(date +%s))); }

metadata() { # PATH: prints this instance's metadata; fails if there is none
  local ask=(curl -sf --noproxy '*' --max-time 5 --retry 4 --retry-connrefused) token
  local service=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}
  token=$("${ask[@]}" -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "${service%/}/latest/api/token") &&
    "${ask[@]}" -H "X-aws-ec2-metadata-token: $token" "${service%/}/latest/meta-data/$1"
}

put() { # KEY FILE [OPTION…]: writes to the run's state
  aws s3api put-object --bucket "$S3_OUTPUT_BUCKET" --key "$state/$1" --body "$2" "${@:3}" >"$folder/answer"
}

this_instance() { metadata instance-id || echo unknown; }

copy_log() {
  [[ -z $s3_is_silent ]] || return 0
  cp "$log" "$log.copy" # the log grows during the upload
  put "logs/$worker/$PDFBATCH_INSTANCE.log" "$log.copy"
}

leave() {
  copy_log
  shutdown -h now
}

notify() { # SUBJECT TEXT: sends email to the topic's subscribers
  [[ -z $PDFBATCH_TOPIC ]] ||
    aws sns publish --topic-arn "$PDFBATCH_TOPIC" --subject "$1" --message "$2" >"$folder/answer"
}

own_fleet() {
  local id
  id=$(metadata tags/instance/aws:ec2:fleet-id) || id=$(
    aws ec2 describe-tags --query 'Tags[0].Value' --output text \
      --filters "Name=resource-id,Values=$PDFBATCH_INSTANCE" Name=key,Values=aws:ec2:fleet-id
  )
  [[ $id == fleet-* ]] && echo "$id"
}

end_fleet() { # so that no replacement boots
  local fleet refused
  fleet=$(own_fleet) || {
    say "found no fleet to delete"
    return
  }
  refused=$(aws ec2 delete-fleets --fleet-ids "$fleet" --terminate-instances --output text \
    --query 'UnsuccessfulFleetDeletions[0].Error.Code') && [[ $refused == None ]] && say "deleted $fleet" && return
  say "cannot delete $fleet (${refused:-no answer}): setting its target capacity to 0"
  aws ec2 modify-fleet --fleet-id "$fleet" --excess-capacity-termination-policy termination \
    --target-capacity-specification TotalTargetCapacity=0
}

end() { # WHY: this slice needs no more instances
  say "$1"
  copy_log # deleting the fleet may terminate this instance within seconds
  end_fleet
  exit
}

watch_the_time() { # runs first, so that nothing that hangs later can outlive the deadline
  local left
  left=$(seconds_left)
  ((left > 0)) || left=60 # main checks the time too, sooner and in order
  shutdown -h "+$((left / 60 + 3))" # in case this script is killed
  {
    sleep "$left"
    PDFBATCH_INSTANCE=$(this_instance)
    say "this run has reached its time limit"
    copy_log
    end_fleet
    leave
  } &
}

shut_down_after_a_reboot() { # cloud-init runs user data once: a rebooted instance would idle
  [[ $0 == /var/lib/cloud/* ]] || return 0
  printf '#!/bin/sh\nshutdown -h now\n' >/var/lib/cloud/scripts/per-boot/pdfbatch
  chmod +x /var/lib/cloud/scripts/per-boot/pdfbatch
}

mask_upgrades() { # they may replace the NVIDIA libraries under a running container
  systemctl mask --now --no-block apt-daily.timer apt-daily-upgrade.timer apt-daily.service apt-daily-upgrade.service \
    unattended-upgrades.service >/dev/null 2>&1 || true
}

introduce() {
  local stamp=${PDFBATCH_BOOTED//[-:]/}
  PDFBATCH_INSTANCE=$(this_instance)
  PDFBATCH_INSTANCE_TYPE=$(metadata instance-type)
  PDFBATCH_ZONE=$(metadata placement/availability-zone)
  boot=${stamp}_$PDFBATCH_INSTANCE
  say "$worker of $PDFBATCH_RUN on $PDFBATCH_INSTANCE, $PDFBATCH_INSTANCE_TYPE in $PDFBATCH_ZONE, until $PDFBATCH_END"
  write_or_end "boots/$worker/${boot}_${PDFBATCH_INSTANCE_TYPE}_$PDFBATCH_ZONE"
}

write_or_end() { # KEY: if S3 denies access to this instance, it denies it to replacements too: boot none
  local pause
  for pause in 20 40 0; do # a new role may not be known everywhere yet
    put "$1" "$empty" 2>"$folder/refusal" && return
    cat "$folder/refusal"
    s3_answered || wait_for_s3 "$1"
    grep -qE 'AccessDenied|NoSuchBucket|KMS' "$folder/refusal" || return
    sleep "$pause"
  done
  notify "pdfbatch $PDFBATCH_RUN: $worker has no write access" "$(<"$folder/refusal")
Output: s3://$S3_OUTPUT_BUCKET/$S3_OUTPUT_PREFIX. Try: pdfbatch doctor --output s3://$S3_OUTPUT_BUCKET/$S3_OUTPUT_PREFIX"
  end "this instance has no write access to the output"
}

s3_answered() { grep -q 'An error occurred (' "$folder/refusal"; } # how the AWS CLI reports an error answer

wait_for_s3() { # KEY: returns when S3 answers, so that a short outage does not cost the slice
  local fleet count pause
  if ! { fleet=$(own_fleet) && count=$(failed_boots "$fleet"); }; then
    s3_is_silent=yes
    say "neither S3 nor EC2 answers: shutting down"
    exit
  fi
  for pause in 30 60 120; do
    sleep "$pause"
    put "$1" "$empty" 2>"$folder/refusal" || s3_answered && return
  done
  s3_is_silent=yes
  count=$((count + 1))
  say "S3 does not answer: failed boot $count"
  if ((count < PDFBATCH_MAX_BOOTS)) && set_failed_boots "$fleet" "$count"; then exit; fi
  notify "pdfbatch $PDFBATCH_RUN: $worker cannot reach S3" "$count instances could not reach S3; the last was $PDFBATCH_INSTANCE.
Check the route table of its subnet. Try: pdfbatch doctor --output s3://$S3_OUTPUT_BUCKET/$S3_OUTPUT_PREFIX"
  end "cannot reach S3"
}

failed_boots() { # FLEET: prints its count of boots without S3; fails if EC2 does not answer
  local count
  count=$(AWS_MAX_ATTEMPTS=2 aws ec2 describe-tags --query 'Tags[0].Value' --output text --cli-connect-timeout 10 \
    --filters "Name=resource-id,Values=$1" "Name=key,Values=$failed_boots_tag") || return
  [[ $count =~ ^[0-9]+$ ]] || count=0
  echo "$count"
}

set_failed_boots() { aws ec2 create-tags --resources "$1" --tags "Key=$failed_boots_tag,Value=$2"; } # FLEET COUNT

reset_failed_boots() { # S3 has answered
  local fleet
  fleet=$(own_fleet) && [[ $(failed_boots "$fleet") == [1-9]* ]] && set_failed_boots "$fleet" 0
}

forgive_an_interruption() { # an interruption says nothing about the slice
  {
    until metadata spot/instance-action >"$folder/action"; do sleep 20; done
    say "Spot interruption: this boot's strike does not count"
    aws s3api delete-object --bucket "$S3_OUTPUT_BUCKET" --key "$state/strikes/$worker/$boot"
  } &
}

run_is_deleted() { # by a failed launch, or by a user
  [[ $(aws s3api head-object --bucket "$S3_OUTPUT_BUCKET" --key "$state/manifest.json.gz" 2>&1) == *'(404)'* ]]
}

ending() { # FILE: prints why the worker ended, from its done mark; nothing without a mark
  grep -o '"why": *"[a-z_]*"' "$1" 2>/dev/null | cut -d '"' -f 4
}

own_ending() {
  rm -f "$folder/mark"
  aws s3api get-object --bucket "$S3_OUTPUT_BUCKET" --key "$state/done/$worker.json" "$folder/mark" \
    >"$folder/answer" 2>"$folder/refusal" || grep -v -e '^$' -e NoSuchKey "$folder/refusal" >&2
  ending "$folder/mark"
}

is_final() { [[ $1 =~ ^(done|deadline|gave_up|failing|over_budget|retired)$ ]]; }

strikes() { # adds this boot's and prints the number
  put "strikes/$worker/$boot" "$empty"
  aws s3api list-objects-v2 --bucket "$S3_OUTPUT_BUCKET" --prefix "$state/strikes/$worker/" --no-paginate \
    --query KeyCount --output text
}

all_have_ended() {
  local number=0
  aws s3 cp --recursive --quiet "s3://$S3_OUTPUT_BUCKET/$state/done/" "$folder/done" || return
  while ((number < TOTAL_WORKERS)); do
    is_final "$(ending "$folder/done/worker-$number.json")" || return
    number=$((number + 1))
  done
}

give_up() { # BOOTS
  local now detail
  now=$(date -u +%FT%TZ)
  detail="$1 instances in a row made no progress; the last was $PDFBATCH_INSTANCE."
  printf '{"worker":%d,"why":"gave_up","at":"%s","detail":"%s"}' "$WORKER_ID" "$now" "$detail" >"$folder/mark"
  put "done/$worker.json" "$folder/mark"
  notify "pdfbatch $PDFBATCH_RUN: $worker gave up" "$detail
Logs: s3://$S3_OUTPUT_BUCKET/$state/logs/$worker/ and log group $PDFBATCH_LOG_GROUP
pdfbatch status s3://$S3_OUTPUT_BUCKET/$S3_OUTPUT_PREFIX"
  printf '{"run":"%s","worker":%d,"at":"%s"}' "$PDFBATCH_RUN" "$WORKER_ID" "$now" >"$folder/completed"
  [[ -z ${PDFBATCH_POOL:-} ]] || end "$detail" # the other workers read its blocks, and the last of them sends email
  all_have_ended && put completed.json "$folder/completed" --if-none-match '*' &&
    notify "pdfbatch $PDFBATCH_RUN: all workers have ended" "$worker gave up, the others ended before.
pdfbatch report s3://$S3_OUTPUT_BUCKET/$S3_OUTPUT_PREFIX"
  end "$detail"
}

fast_disk() { # prints a folder on the instance's own NVMe if it has one
  local device mounted=/opt/dlami/nvme
  if ! mountpoint -q "$mounted"; then
    mounted=$folder/nvme
    device=$(lsblk -dpno NAME,MODEL | awk '/EC2 NVMe Instance Storage/ {print $1; exit}')
    mkdir "$mounted"
    [[ -z $device ]] || mount "$device" "$mounted" ||
      { mkfs.ext4 -q -E nodiscard "$device" </dev/null && mount "$device" "$mounted"; }
  fi
  mkdir -p "$mounted/scratch" "$mounted/cache"
  chmod 1777 "$mounted/scratch" "$mounted/cache"
  echo "$mounted"
}

pull() {
  local registry=${PDFBATCH_IMAGE%%/*} region pause
  for pause in 5 15 45 90 0; do
    if [[ $registry =~ \.dkr\.ecr\.([a-z0-9-]+)\. ]]; then
      region=${BASH_REMATCH[1]}
      aws ecr get-login-password --region "$region" |
        timeout 60 docker login --username AWS --password-stdin "$registry"
    fi
    timeout 1800 docker pull --quiet "$PDFBATCH_IMAGE" && return
    say "pulling $PDFBATCH_IMAGE failed"
    sleep "$pause"
  done
  return 1
}

check_gpu() { # a GPU that does not answer is the instance's fault: a replacement has another
  local found
  [[ -n $PDFBATCH_GPUS ]] || return 0
  command -v nvidia-smi >/dev/null || {
    say "GPU: unknown, there is no nvidia-smi here"
    return
  }
  found=$(timeout 120 nvidia-smi --query-gpu=name,driver_version,compute_cap,memory.total --format=csv,noheader 2>&1) || {
    say "the GPU does not answer: $found"
    exit
  }
  say "GPU: name, driver, compute capability, memory: $found"
}

run_worker() { # DISK
  local options=(--rm --network host --stop-timeout 110 --volume "$1/scratch:/scratch" --volume "$1/cache:/cache") name
  [[ -z $PDFBATCH_GPUS ]] || options+=(--gpus "$PDFBATCH_GPUS")
  options+=(--log-driver awslogs --log-opt mode=non-blocking --log-opt max-buffer-size=8m
    --log-opt "awslogs-region=$AWS_DEFAULT_REGION" --log-opt "awslogs-group=$PDFBATCH_LOG_GROUP"
    --log-opt "awslogs-stream=$PDFBATCH_RUN/$worker/$PDFBATCH_INSTANCE"
    ${AWS_ENDPOINT_URL:+--log-opt "awslogs-endpoint=$AWS_ENDPOINT_URL"})
  for name in WORKER_ID TOTAL_WORKERS S3_INPUT_BUCKET S3_INPUT_PREFIX S3_OUTPUT_BUCKET S3_OUTPUT_PREFIX \
    AWS_DEFAULT_REGION AWS_ENDPOINT_URL PDFBATCH_RUN PDFBATCH_DEADLINE PDFBATCH_TOPIC \
    PDFBATCH_INSTANCE PDFBATCH_INSTANCE_TYPE PDFBATCH_ZONE PDFBATCH_BOOTED; do
    options+=(--env "$name") # an unset one stays unset
  done
  docker run "${options[@]}" "$PDFBATCH_IMAGE" worker 2>&1 | tail -n 40 # the log group has all lines
  return "${PIPESTATUS[0]}"
}

after_a_stop() {
  is_final "$(own_ending)" && end "the worker drained, and nobody resumes its work"
  say "interrupted: waiting for AWS to terminate this instance"
  copy_log
  sleep 600
  exit
}

work() {
  local disk failures=0 code
  check_gpu
  disk=$(fast_disk)
  pull || exit
  while ((failures < 3)); do
    SECONDS=0
    run_worker "$disk"
    code=$?
    say "the worker's container ended with $code"
    [[ $code != [03] ]] || end "this slice is finished"
    [[ $code != 130 ]] || after_a_stop
    ((SECONDS < 3600)) || failures=0 # after an hour of work, retry as if new
    failures=$((failures + 1))
    sleep $((failures * 20))
  done
  say "three failures in a row: leaving the slice to a replacement"
}

main() {
  local boots
  trap leave EXIT
  watch_the_time
  shut_down_after_a_reboot
  mask_upgrades
  introduce
  reset_failed_boots
  ! run_is_deleted || end "this run no longer exists"
  ! is_final "$(own_ending)" || end "this slice has already ended"
  (($(seconds_left) > 0)) || end "this run has reached its time limit"
  boots=$(strikes)
  [[ $boots =~ ^[0-9]+$ ]] || boots=0 # the worker will report what is wrong with the store
  ((boots <= PDFBATCH_MAX_BOOTS)) || give_up "$((boots - 1))"
  forgive_an_interruption
  work
}

exec 3>&1 >>"$log" 2>&1
tail -n +1 -f --pid $$ "$log" >&3 & # also into cloud-init's log; tee would write ours too late for copy_log
main
