"""Who is revoked by the word of OCSP responders: remembered apart from what is asked about lately.

Law: where there is no room for more, the responder that told of the most loses the oldest of it. So whoever publishes
any number of revocations has its own forgotten, and never those of another.
"""

from policies.peer.ocsp import OcspAnswer, OcspQuestion

#: A CA and a serial number: one certificate, whoever is asked about it.
Subject = tuple[bytes, bytes, int]
#: Scheme, host and port of a responder. Policies say which there are.
_Origin = tuple[str, str, int]


class RevokedAnswers:
    """At most `limit` certificates. Not thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._answers: dict[Subject, tuple[OcspAnswer, _Origin]] = {}
        self._told: dict[_Origin, dict[Subject, None]] = {}

    def get(self, question: OcspQuestion) -> OcspAnswer | None:
        """The answer that revoked the certificate in `question`, whoever was asked."""
        found = self._answers.get(_subject(question))
        return None if found is None else found[0]

    def put(self, question: OcspQuestion, answer: OcspAnswer) -> None:
        """Remember `answer`, which revokes."""
        self.drop(question)
        subject, origin = _subject(question), question.source.url.origin
        self._answers[subject] = answer, origin
        self._told.setdefault(origin, {})[subject] = None
        if len(self._answers) > self._limit:
            most = max(self._told.values(), key=len)
            self._drop(next(iter(most)))

    def drop(self, question: OcspQuestion) -> None:
        """The certificate in `question` is not revoked any more."""
        self._drop(_subject(question))

    def _drop(self, subject: Subject) -> None:
        _, origin = self._answers.pop(subject, (None, None))
        if origin is not None:
            told = self._told[origin]
            del told[subject]
            if not told:
                del self._told[origin]


def same_certificate(one: OcspQuestion, other: OcspQuestion) -> bool:
    """Whether two questions, to whomever, are about one certificate."""
    return _subject(one) == _subject(other)


def _subject(question: OcspQuestion) -> Subject:
    return question.issuer_name, question.issuer.spki_sha256, question.serial
