"""PDFs of our own making, the same each time: `demo` for people, `odd` and `many` for tests and benchmarks."""
