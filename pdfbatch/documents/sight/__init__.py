"""Compare what a page's picture shows with what its text layer says."""
