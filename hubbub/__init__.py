"""hubbub: answers about a live stream of posts in which every sentence quotes a living post."""

__version__ = "0.1.0"
