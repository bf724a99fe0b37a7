"""Lines to replay: anybody's JSON."""

import json

from fuzz.target import Target, require
from fuzz.world import HOST, METHOD, NOW, PATH, pem, policy
from policies.authoring.replay import Replay

_REPLAY = Replay(policy(), lambda: NOW)
_REQUEST = {"method": METHOD, "host": HOST, "path": f"{PATH}?page=2"}


def _check(line: bytes) -> None:
    answer = _REPLAY.answer(line)
    require(answer["effect"] in {"allow", "deny"}, "an answer allows or denies")
    require(isinstance(answer["rules"], list), "an answer names rules")
    require((answer["effect"] == "allow") == (answer["reason"] == "allowed_by_rule"), "only a rule allows")
    require("\n" not in json.dumps(answer), "an answer is one line")


TARGET = Target(
    "replay",
    "every line is answered, and only a rule allows",
    tuple(
        json.dumps(line).encode()
        for line in (
            {**_REQUEST, "chain": [pem("billing"), pem("issuing")], "time": NOW, "sni": HOST},
            {**_REQUEST, "certificate": pem("billing"), "headers": {"x-robot": ["no", "yes"]}},
            {**_REQUEST, "identity": {"uri": ["spiffe://acme.internal/ns/prod/sa/billing"], "trust": ["mesh"]}},
            {**_REQUEST, "source_ip": "192.0.2.7", "time": "2026-11-01T00:00:00+00:00", "effect": "deny"},
            {"@timestamp": "2026-11-01T00:00:00.000000000Z", "http.request.method": "GET", "url.path": "/", "raw": ""},
        )
    ),
    _check,
    (
        *(b"null", b"true", b"1e999", b"NaN", b"-1", b'"\\ud800"', b"{}", b"[]", b"[[", b'"":', b"\\u0000", b"\xff"),
        *(b'"time":', b'"headers":', b'"host":', b'"path":', b'"identity":', b'"trust":["mesh"]', b'"effect":"allow"'),
        *(b'"identity.presented":"verified"', b'"url.domain":', b'"tls.client.certificate_chain":', b'"raw":"e30="'),
    ),
)
