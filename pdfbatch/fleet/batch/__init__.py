"""AWS Batch as a way to run workers: one array job, whose index is the worker's number."""
