"""PDFs for tests and benchmarks, the same each time: odd, damaged, and many. The demo makes its own."""
