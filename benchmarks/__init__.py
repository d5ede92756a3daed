"""One file a claim, one table each: `python -m benchmarks.NAME --help`."""
