"""Sources and the archive: how events arrive and are kept."""
