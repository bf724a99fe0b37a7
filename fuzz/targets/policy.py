"""Policy text: written by people, merged by machines, cut off by full disks."""

from functools import cache
from pathlib import Path

from fuzz.target import Target, require
from fuzz.world import NOW, SEEDS, loaded
from policies.engine.evaluate import evaluate
from policies.engine.request import EMPTY_HEADERS, UNREPORTED, Request
from policies.peer.presented import NO_CERTIFICATE

_LIBRARY = Path(__file__).parents[2] / "policies" / "library"


@cache
def _texts() -> tuple[bytes, ...]:
    library = sorted(path for path in _LIBRARY.rglob("*.yaml") if not path.name.endswith(".test.yaml"))
    return ((SEEDS / "policy.yaml").read_bytes(), *(path.read_bytes() for path in library))


def _check(data: bytes) -> None:
    found = loaded({"policy.yaml": data})
    problems = found.problems
    require((found.policy is None) == bool(problems), "there is a policy, or there are problems")
    require(list(problems) == sorted(problems), "problems are sorted")
    for problem in problems:
        require("\n" not in str(problem), "a problem is one line")
        require(str(problem).startswith("policy.yaml:"), "a problem says where it is")
    if found.policy is not None:
        request = Request(NO_CERTIFICATE, "GET", "/x", "h.example", EMPTY_HEADERS, None, None, UNREPORTED, NOW)
        decision = evaluate(found.policy, request)
        require(not decision.allowed or found.policy.allows_unauthenticated, "nobody is let in unasked")


TARGET = Target(
    "policy",
    "load_policy is total: a policy or sorted problems, never an exception",
    _texts(),
    _check,
    (
        *(
            b"\n",
            b"  ",
            b": ",
            b"- ",
            b"[",
            b"]",
            b"{",
            b"}",
            b"*",
            b"**",
            b"&a ",
            b"*a",
            b"!!str ",
            b"|\n",
            b'"',
            b"'",
        ),
        *(b"any", b"anyone", b"authenticated", b"unauthenticated", b"not: ", b"all: ", b"{tenant}", b"/**", b"%2e"),
        *(b"allow: ", b"deny: ", b"to: any", b"mode: shadow", b"when: ", b"hours: ", b"22:00-06:00", b"2026-12-01"),
        *(b"spiffe://acme.internal/", b"sha256:", b"10.0.0.0/8", b"::/0", b"max_lifetime: 90d", b"\xef\xbb\xbf", b"\0"),
        *(b"version: 1\n", b"---\n", b"...\n", b"? ", b"<<: ", b"root.pem", b"1e999", b"0x1F", b"~", b"\xff"),
    ),
)
