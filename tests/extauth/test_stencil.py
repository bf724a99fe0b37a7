"""An answer from a stencil is the answer that would have been written, byte for byte."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extauth.http_app import wire_from_verdict
from extauth.response import response_from_verdict
from extauth.stencil import Stencils
from policies.engine.decision import Decision
from policies.peer.presented import NO_CERTIFICATE, Presented, presented_from_der
from policies.reason import Effect, Reason
from runtime.check import Verdict
from runtime.decision_ids import next_decision_id
from runtime.judge import Judgement
from tests.extauth.world import billing, tenant

PEERS: tuple[Presented, ...] = (
    NO_CERTIFICATE,
    presented_from_der(billing().der),
    presented_from_der(tenant("acme").der),
)
NAMES = st.lists(st.sampled_from(["a", "b", "c.d"]), max_size=3, unique=True).map(tuple)
HEADERS = st.dictionaries(st.sampled_from(["x-a", "x-b"]), st.sampled_from(["1", "2"])).map(lambda it: (*it.items(),))


@st.composite
def verdicts(draw: st.DrawFn) -> Verdict:
    reason = draw(st.sampled_from(Reason))
    effect = Effect.ALLOW if reason is Reason.ALLOWED_BY_RULE else Effect.DENY
    permitted = effect is Effect.ALLOW or draw(st.booleans())
    names, headers, trust = draw(NAMES), draw(HEADERS), draw(st.sampled_from([(), ("mesh",)]))
    generation = draw(st.sampled_from("gh"))
    decision = Decision(effect, reason, draw(NAMES), names, trust, {}, headers, (), (), None, generation)
    judgement = Judgement(decision, next_decision_id(), permitted)
    if not permitted:
        return Verdict(judgement)
    # A generation stands for what its rules may set.
    settable = frozenset({"g": {"x-a"}, "h": {"x-a", "x-b"}}[generation])
    disguised = draw(st.sampled_from([(), ("x_a",)]))
    return Verdict(judgement, settable, draw(st.sampled_from(PEERS)), draw(st.booleans()), disguised)


@given(st.lists(verdicts(), max_size=12))
def test_it_answers_over_grpc_what_would_be_written(several: list[Verdict]) -> None:
    stencils = Stencils(lambda verdict: response_from_verdict(verdict).SerializeToString(deterministic=True))
    for verdict in several * 2:
        assert stencils.answer(verdict) == response_from_verdict(verdict).SerializeToString(deterministic=True)


@given(st.lists(verdicts(), max_size=12))
def test_it_answers_over_http_what_would_be_written(several: list[Verdict]) -> None:
    stencils = Stencils(wire_from_verdict)
    for verdict in several * 2:
        assert stencils.answer(verdict) == wire_from_verdict(verdict)


def allowed(decision_id: str, **changed: object) -> Verdict:
    fields: Mapping[str, object] = {"identities": ("a",), "headers": (), "generation": "g"} | changed
    decision = Decision(
        Effect.ALLOW,
        Reason.ALLOWED_BY_RULE,
        ("r",),
        fields["identities"],  # type: ignore[arg-type]  # as the test says
        ("mesh",),
        {},
        fields["headers"],  # type: ignore[arg-type]  # as the test says
        (),
        (),
        None,
        fields["generation"],  # type: ignore[arg-type]  # as the test says
    )
    return Verdict(Judgement(decision, decision_id, permitted=True))


def test_an_answer_is_written_once() -> None:
    written: list[Verdict] = []

    def write(verdict: Verdict) -> bytes:
        written.append(verdict)
        return f"<{verdict.judgement.decision_id}>".encode()

    stencils = Stencils(write)
    ids = [next_decision_id() for _ in range(3)]
    assert [stencils.answer(allowed(decision_id)) for decision_id in ids] == [f"<{one}>".encode() for one in ids]
    assert len(written) == 1


@pytest.mark.parametrize(
    "other", [{"identities": ("b",)}, {"headers": (("x-a", "1"),)}, {"generation": "h"}], ids=lambda it: next(iter(it))
)
def test_an_answer_to_something_else_is_another(other: dict[str, object]) -> None:
    stencils = Stencils(lambda verdict: repr(verdict.judgement.decision).encode())
    assert stencils.answer(allowed("1" * 32)) != stencils.answer(allowed("1" * 32, **other))


def test_an_id_of_another_length_is_fine() -> None:
    stencils = Stencils(lambda verdict: response_from_verdict(verdict).SerializeToString(deterministic=True))
    for decision_id in ("", "a", "ab", "a" * 200):
        verdict = allowed(decision_id)
        assert stencils.answer(verdict) == response_from_verdict(verdict).SerializeToString(deterministic=True)


def test_what_cannot_be_written_is_not_remembered() -> None:
    def broken(verdict: Verdict) -> bytes:
        raise UnicodeEncodeError("utf-8", "x", 0, 1, "no")

    stencils = Stencils(broken)
    for _ in range(2):
        with pytest.raises(UnicodeEncodeError):
            stencils.answer(allowed("1" * 32))
