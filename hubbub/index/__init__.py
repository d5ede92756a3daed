"""Finding posts: queries, hits, backends, embedding and ranking."""
