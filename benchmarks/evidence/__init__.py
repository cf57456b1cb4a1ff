"""What warmup does, and which: runs, their raw results, and the page docs/evidence.md drawn from these alone."""
