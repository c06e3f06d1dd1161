"""Events: one for each outcome and for each run's end, delivered from the ledger to sinks."""
