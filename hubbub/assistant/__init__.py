"""From a question to sentences that quote living posts."""
