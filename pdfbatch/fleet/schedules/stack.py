"""What `setup --schedules` adds to the stack: a group of schedules, the role that starts jobs, a dead-letter queue, and
alarms. Pure. Only the alarms cost money, $0.10 a month each."""

from __future__ import annotations

from typing import Any

from pdfbatch.fleet.names import TAG_STACK, Names, partition
from pdfbatch.fleet.policies import Policy, Statement
from pdfbatch.fleet.topic import mail_rule

Template = dict[str, Any]
FAILURE_PERCENT = 20
"""Of the documents of an hour: more failures than these raise an alarm."""
MOST_HOURS = 168
"""CloudWatch looks back a week at most. Source: CloudWatch guide, "Alarm evaluation"."""
_KEPT_SECONDS = 14 * 24 * 3600
_HOUR = 3600


def schedule_resources(
    names: Names, region: str, account: str, *, on_batch: bool, on_sagemaker: bool, hours: int
) -> dict[str, Template]:
    """Returns the resources by their names in the template. `hours`: a schedule should start something within this
    time. The stack's topic gets the alarms, so whoever has subscribed to it gets emails."""
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": names.schedule_role(region),
            "Description": "pdfbatch: EventBridge Scheduler starts jobs with it.",
            "AssumeRolePolicyDocument": trust(names, region, account),
            "Policies": [
                {
                    "PolicyName": "start",
                    "PolicyDocument": start_policy(
                        names, region, account, on_batch=on_batch, on_sagemaker=on_sagemaker
                    ),
                }
            ],
            "Tags": names.tags,
        },
    }
    dead = {
        "Type": "AWS::SQS::Queue",
        "Properties": {
            "QueueName": names.schedule_dead_letters,
            "MessageRetentionPeriod": _KEPT_SECONDS,
            "SqsManagedSseEnabled": True,
            "Tags": names.tags,
        },
    }
    group = {
        "Type": "AWS::Scheduler::ScheduleGroup",
        "Properties": {"Name": names.schedule_group, "Tags": names.tags},
    }
    return {
        "ScheduleGroup": group,
        "ScheduleRole": role,
        "ScheduleDeadLetters": dead,
        **_alarms(names, hours),
        **({"BatchRule": _batch_rule(names, region, account)} if on_batch else {}),
    }


def trust(names: Names, region: str, account: str) -> Policy:
    """Builds the trust policy: only the schedules of this stack's group, in this account, may use the role.

    Source: EventBridge Scheduler guide, "Confused deputy prevention".
    """
    here = f"arn:{partition(region)}:scheduler:{region}:{account}"
    arns = [f"{here}:schedule-group/{names.schedule_group}", f"{here}:schedule/{names.schedule_group}/*"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "scheduler.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}, "ArnLike": {"aws:SourceArn": arns}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def start_policy(names: Names, region: str, account: str, *, on_batch: bool, on_sagemaker: bool) -> Policy:
    """Builds what the role may do: start jobs of this stack, with its tag and its role, and keep what failed."""
    here, arn = f"{region}:{account}", f"arn:{partition(region)}"
    tagged = {"StringEquals": {f"aws:RequestTag/{TAG_STACK}": names.stack}}
    statements = [_allow("KeepFailed", ["sqs:SendMessage"], [f"{arn}:sqs:{here}:{names.schedule_dead_letters}"])]
    if on_batch:
        batch = f"{arn}:batch:{here}"
        definitions = [f"{batch}:job-definition/{names.stack}_*", f"{batch}:job-definition/{names.stack}_*:*"]
        statements += [
            _allow("SubmitJobs", ["batch:SubmitJob"], [*definitions, f"{batch}:job-queue/{names.job_queue}"], tagged),
            _allow("TagJobs", ["batch:TagResource"], [f"{batch}:job/*"], tagged),
        ]
    if on_sagemaker:
        job = f"{arn}:sagemaker:{here}:processing-job/{names.processing_jobs}*"
        role = f"{arn}:iam::{account}:role/{names.processing_role(region)}"
        passed = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
        statements += [
            _allow("CreateJobs", ["sagemaker:CreateProcessingJob", "sagemaker:AddTags"], [job], tagged),
            _allow("GiveJobRole", ["iam:PassRole"], [role], passed),
        ]
    return {"Version": "2012-10-17", "Statement": statements}


def launcher_statements(region: str, account: str, names: Names) -> list[Statement]:
    """Builds what `schedule` needs besides the policy of the way that it uses.

    Source: service authorization reference, "Actions, resources, and condition keys for Amazon EventBridge Scheduler".
    """
    arn = f"arn:{partition(region)}"
    here = f"{arn}:scheduler:{region}:{account}"
    schedules = f"{here}:schedule/{names.schedule_group}/*"
    actions = ["scheduler:CreateSchedule", "scheduler:UpdateSchedule", "scheduler:DeleteSchedule"]
    passed = {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
    return [
        _allow("Schedule", [*actions, "scheduler:GetSchedule"], [schedules]),
        _allow("SeeSchedules", ["scheduler:ListSchedules"], ["*"]),
        _allow("SeeGroup", ["scheduler:GetScheduleGroup"], [f"{here}:schedule-group/{names.schedule_group}"]),
        _allow(
            "GiveScheduleRole", ["iam:PassRole"], [f"{arn}:iam::{account}:role/{names.schedule_role(region)}"], passed
        ),
    ]


def _alarms(names: Names, hours: int) -> dict[str, Template]:
    """Builds the alarms: a call that Scheduler gave up, no call at all, and many failed documents.

    The metrics of Scheduler have the group as their dimension, and are missing while nothing happens. Those of workers
    have none: they count all runs of the account's region. Source: EventBridge Scheduler guide, "Monitoring with Amazon
    CloudWatch".
    """
    group = {"Dimensions": [{"Name": "ScheduleGroup", "Value": names.schedule_group}], "Namespace": "AWS/Scheduler"}
    failed = {"Id": "failed", "ReturnData": False, "MetricStat": _of_workers("Failures")}
    done = {"Id": "done", "ReturnData": False, "MetricStat": _of_workers("Documents")}
    share = {"Id": "share", "Expression": "IF(done > 0, 100 * failed / done, 0)", "ReturnData": True}
    return {
        "NotStartedAlarm": _alarm(
            names,
            "not-started",
            "A schedule could not start its job; see the queue " + names.schedule_dead_letters,
            **group,
            MetricName="InvocationDroppedCount",
            Statistic="Sum",
            Period=300,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="notBreaching",
        ),
        "NothingRanAlarm": _alarm(
            names,
            "nothing-ran",
            f"No schedule has started anything for {hours} hours",
            **group,
            MetricName="InvocationAttemptCount",
            Statistic="Sum",
            Period=_HOUR,
            EvaluationPeriods=hours,
            Threshold=1,
            ComparisonOperator="LessThanThreshold",
            TreatMissingData="breaching",
        ),
        "FailuresAlarm": _alarm(
            names,
            "failures",
            f"More than {FAILURE_PERCENT} % of the documents of an hour have failed",
            Metrics=[failed, done, share],
            EvaluationPeriods=1,
            Threshold=FAILURE_PERCENT,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
        ),
    }


def _of_workers(metric: str) -> Template:
    return {"Metric": {"Namespace": "pdfbatch", "MetricName": metric}, "Period": _HOUR, "Stat": "Sum"}


def _alarm(names: Names, name: str, text: str, **properties: Any) -> Template:
    own = {"AlarmName": f"{names.stack}-{name}", "AlarmDescription": f"pdfbatch: {text}."}
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {**own, "AlarmActions": [{"Ref": "Topic"}], **properties, "Tags": names.tags},
    }


def _batch_rule(names: Names, region: str, account: str) -> Template:
    """Builds the rule that reports what a job on Batch cannot: it failed, or was ended at its time limit.

    Source: AWS Batch guide, "AWS Batch EventBridge events".
    """
    queue = f"arn:{partition(region)}:batch:{region}:{account}:job-queue/{names.job_queue}"
    pattern = {
        "source": ["aws.batch"],
        "detail-type": ["Batch Job State Change"],
        "detail": {"status": ["FAILED"], "jobQueue": [queue]},
    }
    return mail_rule(
        names,
        "jobs on AWS Batch that failed",
        pattern,
        {"job": "$.detail.jobName", "why": "$.detail.statusReason"},
        "job <job> on AWS Batch failed: <why>. See it with `pdfbatch status OUTPUT`.",
    )


def _allow(sid: str, actions: list[str], resources: list[str], condition: Statement | None = None) -> Statement:
    statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return {**statement, "Condition": condition} if condition else statement
