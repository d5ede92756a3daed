"""The default engine: tenants' jobs as processes on this machine, led by a small supervisor."""
