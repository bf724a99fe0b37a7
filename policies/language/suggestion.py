"""Which known word an author meant: cheap enough to be asked for every wrong word of a hostile file."""

from collections.abc import Iterable
from difflib import get_close_matches

from policies.language.limits import MAX_SUGGESTED_CHARS

#: Up to this many words each is compared (20 µs a question); with more, only one slip of the pen is looked up.
_COMPARED_WORDS = 64
#: Similarity by `difflib.SequenceMatcher.ratio` from which a word is worth suggesting.
_SIMILARITY = 0.72
_SEPARATORS = str.maketrans("_.", "--")


class Vocabulary:
    """Words that are known in one place, such as the keys of a mapping or the names of all identities.

    Case and separators do not count. The index for many words is built at the first question.
    """

    __slots__ = ("_index", "_words")

    def __init__(self, words: Iterable[str]) -> None:
        self._words = tuple(sorted(set(words)))
        self._index: dict[str, str] | None = None

    def __contains__(self, word: str) -> bool:
        return word in self._words

    def nearest(self, word: str) -> str | None:
        """The known word that is most like `word`, or None if none is like it."""
        if not word or len(word) > MAX_SUGGESTED_CHARS:
            return None
        if self._index is None:
            self._index = self._indexed()
        for slip in _slips(word):
            if slip in self._index:
                return self._index[slip]
        if len(self._words) > _COMPARED_WORDS:
            return None
        close = get_close_matches(word, self._words, n=1, cutoff=_SIMILARITY)
        return close[0] if close else None

    def _indexed(self) -> dict[str, str]:
        index: dict[str, str] = {}
        for word in self._words:
            index.setdefault(_folded(word), word)
        for word in self._words:
            for slip in _slips(word):
                index.setdefault(slip, word)
        return index


def did_you_mean(word: str, vocabulary: Vocabulary) -> str:
    """The hint `did you mean …?`, or an empty one."""
    nearest = vocabulary.nearest(word)
    return f"did you mean `{nearest}`?" if nearest else ""


def _folded(word: str) -> str:
    return word.casefold().translate(_SEPARATORS)


def _slips(word: str) -> Iterable[str]:
    """The folded word, then with each character left out: two words that share one differ by a slip."""
    folded = _folded(word)
    yield folded
    for i in range(len(folded)):
        yield folded[:i] + folded[i + 1 :]
