"""Standing questions: what is new about a topic is told as it comes, and taken back when it dies."""
