"""Ray as an engine: tenants' jobs as actors in placement groups of a running cluster, by the same policy."""
