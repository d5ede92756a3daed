"""Small invented documents, and a tokenizer trained on them once."""

from functools import cache

from hubbub.corpus.document import Document, Piece
from hubbub.corpus.tokenizer import Tokenizer, train_tokenizer

WORDS = "river bridge water rises tonight fire brigade pumps cellar school open closed tomorrow".split()


def text_of(number):
    """A text that no other number has."""
    return f"@a: post {number} " + " ".join(WORDS[(number * k + k) % len(WORDS)] for k in range(1, 7))


def piece(number, author=None, **changes):
    told = {
        "post_id": f"at://p/{number}",
        "author": author or f"did:{number % 7}",
        "received_us": 1_000_000 * (number + 1),
        "lang": "en" if number % 3 else "de",
        "text": text_of(number),
    }
    return Piece(**(told | changes))


def document(*pieces, is_held_out=False):
    return Document(pieces=pieces, is_held_out=is_held_out)


def documents(num_documents, num_pieces=2):
    """Documents of posts numbered from 0, the last tenth held out."""
    for number in range(num_documents):
        first = number * num_pieces
        pieces = [piece(first + n) for n in range(num_pieces)]
        yield document(*pieces, is_held_out=number >= num_documents * 0.9)


@cache
def tokenizer() -> Tokenizer:
    return train_tokenizer((text_of(n) for n in range(300)), 512)
