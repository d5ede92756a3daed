"""Who runs what now on a shared fleet, who waits until when, and why; it knows GPUs and never a post."""
