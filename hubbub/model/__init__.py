"""The language model itself: shape, weights, generation and export; it never trains, never sees a post."""
