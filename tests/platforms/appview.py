"""A fake AppView of Bluesky's: says which posts and accounts are there; all of them invented."""

from __future__ import annotations

from tests.platforms.wire import FakeServer, Peer


class FakeAppView(FakeServer):
    """Knows the posts and accounts that a test gives it."""

    def __init__(self) -> None:
        self.posts: set[str] = set()
        self.authors: set[str] = set()
        self.asked: list[list[str]] = []
        """Posts asked for, a request each."""
        self.status = 200
        super().__init__()

    def serve(self, peer: Peer) -> None:
        """Answer requests."""
        while peer.read_request():
            if self.status != 200:
                peer.answer(self.status, {"error": "no"})
            elif peer.request.path.endswith("app.bsky.feed.getPosts"):
                uris = peer.request.query["uris"]
                self.asked.append(uris)
                peer.answer(200, {"posts": [{"uri": uri} for uri in uris if uri in self.posts]})
            else:
                actors = peer.request.query["actors"]
                peer.answer(200, {"profiles": [{"did": did} for did in actors if did in self.authors]})
