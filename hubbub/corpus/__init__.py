"""From archived posts to clean, deduplicated, tokenized shards that a deletion still reaches."""
