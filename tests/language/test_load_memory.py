"""A load that takes from the memory of the one before gives what a fresh load gives, to the byte."""

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from extauth.native.compile import compiled_from_policy
from extauth.native.filters import policy_filter
from pki.authority import Authority
from policies.engine.decision import Decision
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.rule import Rule
from policies.language.load import Loaded, load_policy
from policies.language.load_memory import NOTHING_LOADED, LoadMemory
from policies.peer.presented import presented_from_der
from tests.engine.callers import NoFiles, request

ROOT = Authority.root("memory root")
OTHER = Authority.root("another root")
TD = "acme.internal"
LEAVES = {name: ROOT.issue(uri=[f"spiffe://{TD}/{name}"]) for name in ("a", "b")}
CRLS = {
    "empty": ROOT.crl(number=1),
    "lists a": ROOT.crl([LEAVES["a"].certificate], number=2),
    "lists both": ROOT.crl([leaf.certificate for leaf in LEAVES.values()], number=3),
    "of nobody": OTHER.crl(number=9),
    "broken": b"no CRL",
}
NOW = ROOT.now.timestamp()
MAIN = f"""\
version: 1
trust: {{mesh: {{anchors: [root.pem], spiffe_trust_domain: {TD}, crls: [root.crl]}}}}
identities:
  a: {{uri: "spiffe://{TD}/a"}}
  b: {{uri: "spiffe://{TD}/b"}}
routes:
  open: {{hosts: [api.prod.svc], paths: [/v1/things]}}
rules:
  - {{id: a-open, allow: a, to: open}}
  - {{id: b-open, allow: b, to: open}}
  - {{id: nights, allow: a, to: {{paths: [/night]}}, when: {{hours: ["22:00-06:00"], timezone: Europe/Berlin}}}}
"""
BLOCKED = "version: 1\nrules:\n  - {id: blocked, deny: a, to: any}\n"
ZONES = "version: 1\nzones: {pci: [10.0.0.0/8]}\nrules: [{id: pci, deny: anyone, not_from: pci, to: {paths: [/pci]}}]\n"

Files = dict[str, bytes]
Edit = Callable[[Files], None]


def _replaced(name: str, old: str, new: str) -> Edit:
    def edit(files: Files) -> None:
        files[name] = files.get(name, b"").replace(old.encode(), new.encode())

    return edit


def _put(name: str, content: str | bytes) -> Edit:
    def edit(files: Files) -> None:
        files[name] = content.encode() if isinstance(content, str) else content

    return edit


def _gone(name: str) -> Edit:
    def edit(files: Files) -> None:
        files.pop(name, None)

    return edit


EDITS: list[Edit] = [
    *(_put("root.crl", crl) for crl in CRLS.values()),
    _gone("root.crl"),
    _put("root.pem", ROOT.pem),
    _put("root.pem", ROOT.pem + OTHER.pem),
    _put("root.pem", b"no certificate"),
    _put("main.yaml", MAIN),
    _put("main.yaml", "version: 1\nrules: nothing\n"),
    _put("main.yaml", b"\xff"),
    _gone("main.yaml"),
    _replaced("main.yaml", "  a: {", "  c: {"),
    _replaced("main.yaml", "allow: a,", "allow: c,"),
    _replaced("main.yaml", "spiffe_trust_domain: acme.internal", "spiffe_trust_domain: acme.example"),
    _replaced("main.yaml", "mesh:", "grid:"),
    _replaced("main.yaml", "Europe/Berlin", "Europe/Nowhere"),
    _replaced("main.yaml", "/v1/things", "/v2/things"),
    _replaced("main.yaml", "  - {id: b-open, allow: b, to: open}\n", ""),
    _put("blocked.yaml", BLOCKED),
    _put("blocked.yaml", BLOCKED.replace("blocked", "a-open")),
    _put("blocked.yaml", BLOCKED.replace("deny: a", "deny: nobody-knows")),
    _put("blocked.yaml", BLOCKED + "  - {id: more, deny: b, to: open, mode: shadow}\n"),
    _gone("blocked.yaml"),
    _put("another.yaml", f"version: 1\nidentities: {{e: {{any: [a, b]}}, f: {{uri: 'spiffe://{TD}/f'}}}}\n"),
    _put("another.yaml", "version: 1\nscope: {hosts: [api.prod.svc]}\nrules: [{id: s, allow: b, to: open}]\n"),
    _put("another.yaml", "version: 1\nmode: shadow\nrules: [{id: s, deny: b, to: {grpc: [acme.Ledger/Post]}}]\n"),
    _put("another.yaml", "version: 1\nroutes: {open: {paths: [/other]}}\n"),
    _put("another.yaml", "version: 1\ntrust: {partners: {anchors: [root.pem]}}\n"),
    _gone("another.yaml"),
    _put("zones.yaml", ZONES),
    _put("zones.yaml", ZONES.replace("10.0.0.0/8", "10.0.0.0/99")),
    _put("zones.yaml", "version: 1\nstrict_sni: true\n"),
    _gone("zones.yaml"),
]


def first_files() -> Files:
    return {"main.yaml": MAIN.encode(), "root.pem": ROOT.pem, "root.crl": CRLS["empty"]}


def load(files: Files, previous: PolicySet | None, memory: LoadMemory) -> Loaded:
    policy_files = {name: content for name, content in files.items() if name.endswith(".yaml")}
    return load_policy(policy_files, NoFiles(files), previous, memory=memory)


def decisions(policy: PolicySet) -> list[Decision]:
    peers = [presented_from_der(leaf.der, []) for leaf in LEAVES.values()]
    paths = ("/v1/things", "/v2/things", "/night", "/pci", "/other")
    return [evaluate(policy, request(peer, path, host="api.prod.svc", time=NOW)) for peer in peers for path in paths]


def native(policy: PolicySet) -> str:
    return json.dumps(policy_filter(compiled_from_policy(policy, NOW, (8443,))))


def said(policy: PolicySet) -> tuple[object, ...]:
    return (
        policy.generation,
        policy.content_sha256,
        [replace(rule, origin=None) for rule in policy.rules],
        [_networks(rule) for rule in policy.rules],
        policy.identities,
        policy.routes,
        policy.trust.client_ca_ders(),
        [
            (entry.name, entry.spiffe_trust_domain, [crl.serials for crl in entry.crls])
            for entry in policy.trust.entries
        ],
        policy.trust.memory,
        policy.strict_sni,
        policy.enforced,
        policy.settled,
        policy.waits,
        policy.condition_headers,
    )


def _networks(rule: Rule) -> list[object]:
    sides = () if rule.origin is None else (rule.origin.inside, rule.origin.outside)
    return [side and side.cidrs for side in sides]


def check_same(reused: Loaded, fresh: Loaded) -> None:
    assert reused.problems == fresh.problems
    assert (reused.policy is None) is (fresh.policy is None)
    if reused.policy is not None and fresh.policy is not None:
        assert said(reused.policy) == said(fresh.policy)
        assert decisions(reused.policy) == decisions(fresh.policy)
        assert native(reused.policy) == native(fresh.policy)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.sampled_from(EDITS), min_size=1, max_size=3), min_size=1, max_size=8))
def test_whatever_was_edited_a_load_with_a_memory_is_a_fresh_load(steps: list[list[Edit]]) -> None:
    files, memory = first_files(), NOTHING_LOADED
    last_reused: PolicySet | None = None
    last_fresh: PolicySet | None = None
    for step in [[], *steps]:
        for edit in step:
            edit(files)
        reused = load(files, last_reused, memory)
        fresh = load(files, last_fresh, NOTHING_LOADED)
        check_same(reused, fresh)
        memory = reused.memory
        last_reused, last_fresh = reused.policy or last_reused, fresh.policy or last_fresh


def test_another_crl_makes_another_generation_of_the_very_same_rules() -> None:
    first = load(first_files(), None, NOTHING_LOADED)
    second = load({**first_files(), "root.crl": CRLS["lists a"]}, first.policy, first.memory)
    assert first.policy is not None
    assert second.policy is not None
    assert second.policy.rules is first.policy.rules
    assert second.policy.route_index is first.policy.route_index
    assert second.policy.generation != first.policy.generation
    before, after = decisions(first.policy), decisions(second.policy)
    assert (before[0].allowed, after[0].allowed) == (True, False)
    assert [decision.generation for decision in before[:1] + after[:1]] == [
        first.policy.generation,
        second.policy.generation,
    ]


def test_callers_that_one_generation_remembers_are_judged_anew_by_the_next() -> None:
    first = load(first_files(), None, NOTHING_LOADED).policy
    assert first is not None
    decisions(first)
    second = first.renewed(first.trust, "another", b"another")
    assert (first.cached_callers, second.cached_callers) == (2, 0)


def test_only_the_file_that_changed_is_read_again() -> None:
    first = load({**first_files(), "blocked.yaml": BLOCKED.encode()}, None, NOTHING_LOADED)
    second = load({**first_files(), "blocked.yaml": BLOCKED.encode() + b"# more\n"}, None, first.memory)
    assert second.memory.files["main.yaml"] is first.memory.files["main.yaml"]
    assert second.memory.files["blocked.yaml"] is not first.memory.files["blocked.yaml"]


def test_what_a_file_that_is_the_same_compiled_to_is_taken_again() -> None:
    first = load(first_files(), None, NOTHING_LOADED).policy
    second = load({**first_files(), "blocked.yaml": BLOCKED.encode()}, first, NOTHING_LOADED)
    third = load({**first_files(), "blocked.yaml": BLOCKED.encode() + b"# more\n"}, first, second.memory).policy
    assert second.policy is not None
    assert third is not None
    rules = {rule.id: rule for rule in second.policy.rules}
    # A rule with times depends on more than its document; a file that was read again has other documents.
    assert {rule.id for rule in third.rules if rule is rules[rule.id]} == {"a-open", "b-open"}
    assert third.routes[0] is second.policy.routes[0]
    assert third.identities[0].selector is second.policy.identities[0].selector


def test_a_route_whose_place_among_the_routes_is_another_is_compiled_again() -> None:
    first = load(first_files(), None, NOTHING_LOADED)
    files = {**first_files(), "a.yaml": b"version: 1\nrules: [{id: first, deny: a, to: {hosts: [x.example]}}]\n"}
    second = load(files, first.policy, first.memory)
    check_same(second, load(files, None, NOTHING_LOADED))
    assert second.policy is not None
    assert [way.route for route in second.policy.routes for way in route.alternatives] == [0, 1, 2]


def test_identities_are_compiled_again_when_trust_entries_are_others() -> None:
    trust = b"version: 1\ntrust: {partners: {anchors: [root.pem]}}\n"
    named = MAIN.replace("identities:\n", "identities:\n  d: {dns: d.example}\n").encode()
    first = load({**first_files(), "main.yaml": named}, None, NOTHING_LOADED)
    assert first.policy is not None
    two = {**first_files(), "main.yaml": named, "trust.yaml": trust}
    second = load(two, first.policy, first.memory)
    assert [problem.code for problem in second.problems] == ["trust_unnamed"]
    check_same(second, load(two, None, NOTHING_LOADED))


def test_the_same_content_under_another_name_is_read_again_as_problems_name_the_file() -> None:
    files = {**first_files(), "blocked.yaml": BLOCKED.replace("deny: a", "deny: nobody-knows").encode()}
    first = load(files, None, NOTHING_LOADED)
    files["moved.yaml"] = files.pop("blocked.yaml")
    check_same(load(files, None, first.memory), load(files, None, NOTHING_LOADED))


def test_rules_are_compiled_again_when_a_time_zone_is_another() -> None:
    class Moved(NoFiles):
        def timezone(self, name: str) -> ZoneInfo:
            return ZoneInfo("Asia/Tokyo")

    class Lost(NoFiles):
        def timezone(self, name: str) -> ZoneInfo:
            raise KeyError(name)

    files = first_files()
    first = load(files, None, NOTHING_LOADED)
    policy_files = {"main.yaml": files["main.yaml"]}
    moved = load_policy(policy_files, Moved(files), memory=first.memory).policy
    assert moved is not None
    assert moved.rules[2].when is not None
    assert moved.rules[2].when.timezone == ZoneInfo("Asia/Tokyo")
    lost = load_policy(policy_files, Lost(files), memory=first.memory)
    assert [problem.code for problem in lost.problems] == ["value_invalid"]


def test_a_broken_file_that_is_mended_leaves_the_rules_as_they_were() -> None:
    first = load(first_files(), None, NOTHING_LOADED)
    broken = load({**first_files(), "main.yaml": b"version: 1\nrules: nothing\n"}, first.policy, first.memory)
    assert broken.problems
    mended = load(first_files(), first.policy, broken.memory)
    assert mended.policy is not None
    assert first.policy is not None
    assert mended.policy.rules is first.policy.rules


def test_a_thousand_reloads_remember_no_more_than_one() -> None:
    memory, previous = NOTHING_LOADED, None
    sizes = []
    tracemalloc.start()
    try:
        for number in range(1000):
            files = {**first_files(), "root.crl": CRLS[("empty", "lists a")[number > 0]]}
            files[f"blocked-{number}.yaml"] = f"version: 1\nrules: [{{id: r{number}, deny: b, to: any}}]\n".encode()
            loaded = load(files, previous, memory)
            memory, previous = loaded.memory, loaded.policy
            if number in {100, 999}:
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert set(memory.files) == {"main.yaml", "blocked-999.yaml"}
    assert sizes[1] < sizes[0] * 1.2 + 500_000
