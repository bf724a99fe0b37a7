"""One request to an OCSP responder over HTTP (RFC 6960 appendix A.1)."""

from base64 import b64encode
from dataclasses import replace
from urllib.parse import quote

from policies.peer.limits import MAX_OCSP_BYTES
from policies.peer.ocsp import OcspMethod, OcspQuestion
from runtime.download import exchange
from runtime.limits import OCSP_SECONDS


def response_from_responder(question: OcspQuestion, nonce: bytes | None) -> bytes:
    """What the responder sends, unverified. Raises DownloadError."""
    source, body = question.source, question.request(nonce)
    url, sent = source.url, None if source.method is OcspMethod.GET else body
    if sent is None:
        url = replace(url, target=f"{url.target.rstrip('/')}/{quote(b64encode(body), safe='')}")
    return exchange(url, body=sent, limit=MAX_OCSP_BYTES, allow_private=source.allow_private, seconds=OCSP_SECONDS)
