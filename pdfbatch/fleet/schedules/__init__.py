"""Schedules: EventBridge Scheduler starts a job on AWS Batch or SageMaker, without any program of ours."""
