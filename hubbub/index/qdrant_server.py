"""The same points and queries on a Qdrant server, or on qdrant-client's local mode."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from hubbub.errors import MissingExtra, StorageError
from hubbub.index.backend import BackendStats, Legs
from hubbub.index.document import Document, Key
from hubbub.index.payload import HIDDEN, UNPROMPTABLE, make_payload, make_state, read_post, since_us
from hubbub.index.plan import Plan

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

_PAGE = 1000
_COLLECTION = "hubbub"


def open_server(url: str, dim: int) -> ServerBackend:
    """Connect to `http(s)://HOST[:PORT][/COLLECTION]` or to `:memory:`, making the collection if need be.

    Raises:
        MissingExtra: qdrant-client is not installed.
        StorageError: the server does not answer.
    """
    try:
        from qdrant_client import QdrantClient
    except ImportError:
        raise MissingExtra("a Qdrant server needs qdrant-client; run: pip install 'hubbub[qdrant]'") from None
    if url == ":memory:":
        return ServerBackend(QdrantClient(":memory:"), _COLLECTION, dim)
    scheme, _, rest = url.partition("://")
    host, _, collection = rest.partition("/")
    default_port = 443 if scheme == "https" else 6333
    client = QdrantClient(
        url=f"{scheme}://{host}",
        port=None if ":" in host else default_port,
        timeout=30,
        check_compatibility=False,
    )
    return ServerBackend(client, collection.strip("/") or _COLLECTION, dim)


class ServerBackend:
    """One collection; every call is one request."""

    def __init__(self, client: QdrantClient, collection: str, dim: int) -> None:
        from qdrant_client import models

        self.applied_seq = 0
        self._client, self._name, self._models = client, collection, models
        try:
            if not client.collection_exists(collection):
                self._create(dim)
        except Exception as error:
            raise StorageError(f"Qdrant collection {collection!r}: {error}; is the server up?") from None

    def versions(self, keys: Sequence[Key]) -> dict[Key, int]:
        """Return the sequence number of each stored document among `keys`."""
        return {key: seq for key, (seq, _) in self._posts(keys).items()}

    def owned(self, author: str) -> dict[Key, int]:
        """Return key and sequence number of every document of an author token."""
        found: dict[Key, int] = {}
        offset: Any = None
        while True:
            records, offset = self._client.scroll(
                self._name,
                scroll_filter=self._of_author(author),
                limit=_PAGE,
                offset=offset,
                with_payload=["post"],
            )
            found.update({_key(record): read_post(record.payload["post"])[0] for record in records})  # type: ignore[index]
            if offset is None:
                return found

    def put(self, documents: Sequence[Document]) -> None:
        """Store documents, replacing those of the same keys."""
        self._client.upsert(self._name, [self._point(document) for document in documents], wait=True)

    def set_vectors(self, vectors: Mapping[Key, list[float]]) -> None:
        """Give stored documents their vectors."""
        m = self._models
        held = self.versions(list(vectors))
        points = [m.PointVectors(id=_id(key), vector={"meaning": vectors[key]}) for key in held]
        if points:
            self._client.update_vectors(self._name, points, wait=True)

    def delete(self, keys: Collection[Key]) -> None:
        """Remove documents."""
        if keys:
            self._client.delete(self._name, [_id(key) for key in keys], wait=True)

    def flag(self, author: str, is_hidden: bool, is_unpromptable: bool) -> None:
        """Set the flags of every document of an author token."""
        payload = {"state": make_state(is_hidden, is_unpromptable)}
        self._client.set_payload(self._name, payload, points=self._of_author(author), wait=True)

    def search(self, plan: Plan) -> Legs:
        """Return the best candidates of each leg."""
        requests = self._requests(plan)
        if not requests:
            return Legs()
        answers = self._client.query_batch_points(self._name, list(requests.values()))
        found = zip(requests, answers, strict=True)
        return Legs(**{name: {_key(p): p.score for p in answer.points} for name, answer in found})

    def newest(self, plan: Plan) -> list[tuple[Key, int]]:
        """Return the newest matches."""
        m = self._models
        order = m.OrderBy(key="received", direction=m.Direction.DESC)
        where = self._filter(plan, None)
        records, _ = self._client.scroll(
            self._name, scroll_filter=where, order_by=order, limit=plan.depth, with_payload=["received"]
        )
        found = [(_key(record), int((record.payload or {})["received"])) for record in records]
        return sorted(found, key=lambda match: (-match[1], match[0]))

    def fetch(self, keys: Sequence[Key]) -> dict[Key, str]:
        """Return the stored posts as JSON."""
        return {key: post for key, (_, post) in self._posts(keys).items()}

    def vectors(self, keys: Sequence[Key]) -> dict[Key, list[float]]:
        """Return the stored vectors."""
        records = self._retrieve(keys, with_payload=False, with_vectors=["meaning"])
        named: list[tuple[Key, Any]] = [(_key(record), record.vector or {}) for record in records]
        return {key: vector["meaning"] for key, vector in named if "meaning" in vector}

    @property
    def owes_erasure(self) -> bool:
        """No: what is deleted is erased by the server's own optimizer."""
        return False

    @property
    def erased_seq(self) -> None:
        """Nobody here knows: the server's optimizer erases when it likes."""
        return None

    def wait_ready(self) -> None:
        """Return at once."""

    def flush(self) -> bool:
        """Do nothing: the server answers a write only when its own log holds it."""
        return True

    def stats(self) -> BackendStats:
        """Count what is stored."""
        return BackendStats(num_posts=self._client.count(self._name, exact=True).count)

    def close(self) -> None:
        """Release the connection."""
        self._client.close()

    def _create(self, dim: int) -> None:
        m = self._models
        meaning = m.VectorParams(size=dim, distance=m.Distance.COSINE, datatype=m.Datatype.FLOAT16)
        self._client.create_collection(
            self._name,
            vectors_config={"meaning": meaning} if dim else {},
            sparse_vectors_config={"terms": m.SparseVectorParams()},
            quantization_config=m.ScalarQuantization(
                scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8)
            ),
        )
        if self._is_local():
            return
        tokens = m.TextIndexParams(
            type=m.TextIndexType.TEXT,
            tokenizer=m.TokenizerType.WHITESPACE,
            lowercase=False,
            phrase_matching=True,
        )
        received = m.IntegerIndexParams(type=m.IntegerIndexType.INTEGER, lookup=False, range=True)
        state = m.KeywordIndexParams(type=m.KeywordIndexType.KEYWORD)
        for field, index in (("tokens", tokens), ("received", received), ("state", state)):
            self._client.create_payload_index(self._name, field, index)

    def _is_local(self) -> bool:
        from qdrant_client.local.qdrant_local import QdrantLocal

        return isinstance(self._client._client, QdrantLocal)

    def _point(self, document: Document) -> Any:
        m = self._models
        vectors: dict[str, Any] = {}
        if document.term_ids:
            vectors["terms"] = m.SparseVector(indices=document.term_ids, values=document.weights)
        if document.vector is not None:
            vectors["meaning"] = document.vector
        return m.PointStruct(id=_id(document.key), vector=vectors, payload=make_payload(document))

    def _requests(self, plan: Plan) -> dict[str, Any]:
        m = self._models
        legs: dict[str, Any] = {}
        if plan.term_ids:
            words = m.SparseVector(indices=list(plan.term_ids), values=list(plan.term_weights))
            legs["lexical"] = self._request(plan, words, "terms", None)
            if plan.recent_us is not None:
                legs["recent"] = self._request(plan, words, "terms", plan.recent_us)
        if plan.vector is not None:
            legs["dense"] = self._request(plan, list(plan.vector), "meaning", None)
        return legs

    def _request(self, plan: Plan, query: Any, using: str, from_us: int | None) -> Any:
        where = self._filter(plan, from_us)
        return self._models.QueryRequest(query=query, using=using, filter=where, limit=plan.depth)

    def _filter(self, plan: Plan, from_us: int | None) -> Any:
        m = self._models
        must: list[Any] = [m.Filter(should=[self._match(tokens) for tokens in group]) for group in plan.must]
        since = since_us(plan, from_us)
        if since is not None or plan.to_us is not None:
            must.append(m.FieldCondition(key="received", range=m.Range(gte=since, lt=plan.to_us)))
        barred = [HIDDEN, UNPROMPTABLE] if plan.for_prompt else [HIDDEN]
        must_not: list[Any] = [self._match(tokens) for tokens in plan.must_not]
        must_not.append(m.FieldCondition(key="state", match=m.MatchAny(any=barred)))
        return m.Filter(must=must, must_not=must_not)

    def _match(self, tokens: str) -> Any:
        m = self._models
        match = m.MatchPhrase(phrase=tokens) if " " in tokens else m.MatchText(text=tokens)
        return m.FieldCondition(key="tokens", match=match)

    def _of_author(self, author: str) -> Any:
        return self._models.Filter(must=[self._match(author)])

    def _posts(self, keys: Sequence[Key]) -> dict[Key, tuple[int, str]]:
        records = self._retrieve(keys, with_payload=["post"], with_vectors=False)
        return {_key(record): read_post((record.payload or {})["post"]) for record in records}

    def _retrieve(self, keys: Sequence[Key], **what: Any) -> Iterator[Any]:
        for start in range(0, len(keys), _PAGE):
            ids = [_id(key) for key in keys[start : start + _PAGE]]
            yield from self._client.retrieve(self._name, ids, **what)


def _id(key: Key) -> str:
    return str(UUID(key))


def _key(point: Any) -> Key:
    return str(point.id).replace("-", "")
