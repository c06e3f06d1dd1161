#!/bin/bash
# One machine of a fleet, from its boot to its end. Launch puts `export` lines under the first line (userdata.py);
# cloud-init runs the whole, once, as root. docs/aws.md, "What stops it", tells people the same story.
#
# There is one way out, `leave`: it shuts the machine down, which terminates it. AWS then boots another one for the same
# slice, unless the fleet was ended before. What bounds that:
# - S3 answers: strikes, the boots since something was last finished. One that AWS took back does not count.
# - S3 does not answer, EC2 does: a tag on the fleet counts such boots; the last of PDFBATCH_MAX_BOOTS ends the fleet.
# - Nothing answers: the fleet's ValidUntil. Each machine shuts down within minutes, so little of that time is billed.
# shellcheck shell=bash
set -u
export LC_ALL=C.UTF-8 AWS_PAGER='' AWS_RETRY_MODE=standard AWS_MAX_ATTEMPTS=8
export AWS_METADATA_SERVICE_NUM_ATTEMPTS=5 AWS_METADATA_SERVICE_TIMEOUT=5

worker=worker-$WORKER_ID
state=$S3_OUTPUT_PREFIX.pdfbatch/$PDFBATCH_RUN
folder=$(mktemp -d "${TMPDIR:-/var/tmp}/pdfbatch.XXXXXX")
log=$folder/boot.log empty=$folder/empty
touch "$log" "$empty"
s3_is_silent='' vain=pdfbatch:boots-in-vain
PDFBATCH_BOOTED=$(date -u +%FT%TZ)
PDFBATCH_INSTANCE='' PDFBATCH_INSTANCE_TYPE='' PDFBATCH_ZONE=''
export PDFBATCH_BOOTED PDFBATCH_INSTANCE PDFBATCH_INSTANCE_TYPE PDFBATCH_ZONE
export DOCKER_CONFIG=$folder/docker # cloud-init gives no HOME to keep the registry's token in

aws() { timeout 120 aws "$@"; } # however long its retries would take

say() { echo "$(date -u +%FT%TZ) $*"; }

seconds_left() { echo $(($(date -ud "$PDFBATCH_END" +%s) - $(date +%s))); }

metadata() { # PATH: what EC2 says of this machine; fails where it says nothing
  local ask=(curl -sf --noproxy '*' --max-time 5 --retry 4 --retry-connrefused) token
  local service=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}
  token=$("${ask[@]}" -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "${service%/}/latest/api/token") &&
    "${ask[@]}" -H "X-aws-ec2-metadata-token: $token" "${service%/}/latest/meta-data/$1"
}

put() { # KEY FILE [OPTION…]: into the run's state
  aws s3api put-object --bucket "$S3_OUTPUT_BUCKET" --key "$state/$1" --body "$2" "${@:3}" >"$folder/answer"
}

this_instance() { metadata instance-id || echo unknown; }

copy_log() {
  [[ -z $s3_is_silent ]] || return 0
  cp "$log" "$log.copy" # it grows while it is sent
  put "logs/$worker/$PDFBATCH_INSTANCE.log" "$log.copy"
}

leave() {
  copy_log
  shutdown -h now
}

tell() { # SUBJECT TEXT: by mail to whoever asked for it
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

end_fleet() { # so that no other machine follows this one
  local fleet refused
  fleet=$(own_fleet) || {
    say "no fleet found to end"
    return
  }
  refused=$(aws ec2 delete-fleets --fleet-ids "$fleet" --terminate-instances --output text \
    --query 'UnsuccessfulFleetDeletions[0].Error.Code') && [[ $refused == None ]] && say "ended $fleet" && return
  say "cannot delete $fleet (${refused:-no answer}): setting it to no machines"
  aws ec2 modify-fleet --fleet-id "$fleet" --excess-capacity-termination-policy termination \
    --target-capacity-specification TotalTargetCapacity=0
}

end() { # WHY: this slice needs no machine any more
  say "$1"
  copy_log # deleting the fleet may take the machine within seconds
  end_fleet
  exit
}

watch_the_time() { # comes first: whatever hangs later does not outlive it
  local left
  left=$(seconds_left)
  ((left > 0)) || left=60 # the orderly way below is quicker
  shutdown -h "+$((left / 60 + 3))" # should this script be killed
  {
    sleep "$left"
    PDFBATCH_INSTANCE=$(this_instance)
    say "the time of this run is over"
    copy_log
    end_fleet
    leave
  } &
}

shut_down_after_a_reboot() { # cloud-init runs user data once: a machine that comes up again would idle
  [[ $0 == /var/lib/cloud/* ]] || return 0
  printf '#!/bin/sh\nshutdown -h now\n' >/var/lib/cloud/scripts/per-boot/pdfbatch
  chmod +x /var/lib/cloud/scripts/per-boot/pdfbatch
}

mask_upgrades() { # over days they may swap the NVIDIA libraries under a running container
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

write_or_end() { # KEY: what S3 forbids this machine it forbids the next: booting others would only cost money
  local pause
  for pause in 20 40 0; do # a role that was made a moment ago may not be known everywhere
    put "$1" "$empty" 2>"$folder/refusal" && return
    cat "$folder/refusal"
    s3_answered || wait_for_s3 "$1"
    grep -qE 'AccessDenied|NoSuchBucket|KMS' "$folder/refusal" || return
    sleep "$pause"
  done
  tell "pdfbatch $PDFBATCH_RUN: $worker may not write" "$(<"$folder/refusal")
Place: s3://$S3_OUTPUT_BUCKET/$S3_OUTPUT_PREFIX. Try: pdfbatch doctor --output s3://$S3_OUTPUT_BUCKET/$S3_OUTPUT_PREFIX"
  end "this machine may not write to the store"
}

s3_answered() { grep -q 'An error occurred (' "$folder/refusal"; } # the AWS CLI's words for an answer that is a no

wait_for_s3() { # KEY: returns when S3 answers; an outage of some minutes is no reason to lose the slice
  local fleet count pause
  if ! { fleet=$(own_fleet) && count=$(count_in_vain "$fleet"); }; then
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
  say "S3 does not answer: boot $count in vain"
  if ((count < PDFBATCH_MAX_BOOTS)) && set_in_vain "$fleet" "$count"; then exit; fi
  tell "pdfbatch $PDFBATCH_RUN: $worker cannot reach S3" "$count machines had no way to S3; the last was $PDFBATCH_INSTANCE.
Look at the route table of its subnet. Try: pdfbatch doctor --output s3://$S3_OUTPUT_BUCKET/$S3_OUTPUT_PREFIX"
  end "no way to S3"
}

count_in_vain() { # FLEET: fails where EC2 does not answer
  local count
  count=$(AWS_MAX_ATTEMPTS=2 aws ec2 describe-tags --query 'Tags[0].Value' --output text --cli-connect-timeout 10 \
    --filters "Name=resource-id,Values=$1" "Name=key,Values=$vain") || return
  [[ $count =~ ^[0-9]+$ ]] || count=0
  echo "$count"
}

set_in_vain() { aws ec2 create-tags --resources "$1" --tags "Key=$vain,Value=$2"; } # FLEET COUNT

forget_boots_in_vain() { # S3 has answered
  local fleet
  fleet=$(own_fleet) && [[ $(count_in_vain "$fleet") == [1-9]* ]] && set_in_vain "$fleet" 0
}

forgive_an_interruption() { # a machine that AWS takes back says nothing about its slice
  {
    until metadata spot/instance-action >"$folder/action"; do sleep 20; done
    say "AWS takes this machine back: its strike does not count"
    aws s3api delete-object --bucket "$S3_OUTPUT_BUCKET" --key "$state/strikes/$worker/$boot"
  } &
}

is_taken_back() { # a launch that failed takes its run away; so may a person
  [[ $(aws s3api head-object --bucket "$S3_OUTPUT_BUCKET" --key "$state/manifest.json.gz" 2>&1) == *'(404)'* ]]
}

ending() { # FILE: why a done mark says its worker ended; nothing without one
  grep -o '"why": *"[a-z_]*"' "$1" 2>/dev/null | cut -d '"' -f 4
}

own_ending() {
  rm -f "$folder/mark"
  aws s3api get-object --bucket "$S3_OUTPUT_BUCKET" --key "$state/done/$worker.json" "$folder/mark" \
    >"$folder/answer" 2>"$folder/refusal" || grep -v -e '^$' -e NoSuchKey "$folder/refusal" >&2
  ending "$folder/mark"
}

is_final() { [[ $1 =~ ^(done|deadline|gave_up|failing|over_budget)$ ]]; }

boots_in_vain() { # counts this one
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
  detail="$1 machines in a row got nothing done; the last was $PDFBATCH_INSTANCE."
  printf '{"worker":%d,"why":"gave_up","at":"%s","detail":"%s"}' "$WORKER_ID" "$now" "$detail" >"$folder/mark"
  put "done/$worker.json" "$folder/mark"
  tell "pdfbatch $PDFBATCH_RUN: $worker gave up" "$detail
Why: s3://$S3_OUTPUT_BUCKET/$state/logs/$worker/ and log group $PDFBATCH_LOG_GROUP
pdfbatch status s3://$S3_OUTPUT_BUCKET/$S3_OUTPUT_PREFIX"
  printf '{"run":"%s","worker":%d,"at":"%s"}' "$PDFBATCH_RUN" "$WORKER_ID" "$now" >"$folder/completed"
  all_have_ended && put completed.json "$folder/completed" --if-none-match '*' &&
    tell "pdfbatch $PDFBATCH_RUN: no worker is left" "$worker gave up, the others have ended.
pdfbatch report s3://$S3_OUTPUT_BUCKET/$S3_OUTPUT_PREFIX"
  end "$detail"
}

fast_disk() { # a folder on the instance's own NVMe if it has one
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
    options+=(--env "$name") # one that is not set stays so
  done
  docker run "${options[@]}" "$PDFBATCH_IMAGE" worker 2>&1 | tail -n 40 # all of it is in the log group
  return "${PIPESTATUS[0]}"
}

after_a_stop() {
  is_final "$(own_ending)" && end "the worker drained at its deadline"
  say "interrupted: waiting for AWS to take this machine"
  copy_log
  sleep 600
  exit
}

work() {
  local disk failures=0 code
  disk=$(fast_disk)
  pull || exit
  while ((failures < 3)); do
    SECONDS=0
    run_worker "$disk"
    code=$?
    say "the worker's container ended with $code"
    [[ $code != [03] ]] || end "this slice is finished"
    [[ $code != 130 ]] || after_a_stop
    ((SECONDS < 3600)) || failures=0 # what works for an hour is worth another try
    failures=$((failures + 1))
    sleep $((failures * 20))
  done
  say "three failures in a row: AWS may try another machine"
}

main() {
  local boots
  trap leave EXIT
  watch_the_time
  shut_down_after_a_reboot
  mask_upgrades
  introduce
  forget_boots_in_vain
  ! is_taken_back || end "there is no such run any more"
  ! is_final "$(own_ending)" || end "this slice has ended already"
  (($(seconds_left) > 0)) || end "the time of this run is over"
  boots=$(boots_in_vain)
  [[ $boots =~ ^[0-9]+$ ]] || boots=0 # the worker will tell what is wrong with the store
  ((boots <= PDFBATCH_MAX_BOOTS)) || give_up "$((boots - 1))"
  forgive_an_interruption
  work
}

exec 3>&1 >>"$log" 2>&1
tail -n +1 -f --pid $$ "$log" >&3 & # for cloud-init's own log; tee would write ours too late for its copies
main
