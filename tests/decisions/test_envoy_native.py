"""The decision corpus through a real Envoy that decides by itself, and asks over gRPC what it cannot say."""

import json
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from extauth.native.compile import compiled_from_policy
from extauth.native.filters import http_filters, manager_options, network_filters, route_options, told_filter
from extauth.native.names import verdict_from_name
from extauth.native.records import access_log, native_decision_from_line
from extauth.native.shadow import shadow_from_policy
from extauth.native.told import told_for
from peergate.up.second_look import SecondLook
from policies.engine.policy_set import PolicySet
from policies.reason import Reason
from runtime.envoy.connection_manager import NativeFilters
from runtime.envoy.ext_authz import Authorization
from runtime.judge import FixedPolicy
from runtime.metrics import Metrics
from tests.decisions.conftest import Settings
from tests.decisions.corpus import Case, cases
from tests.decisions.enforced import REFUSED_BY_ENVOY, assert_enforced
from tests.support.front import Front, front
from tests.support.local_extauth import LocalExtauth

_REFUSED_AT_THE_HANDSHAKE = {
    Reason.CERTIFICATE_MALFORMED,
    Reason.CERTIFICATE_UNTRUSTED,
    Reason.CERTIFICATE_EXPIRED,
    Reason.CERTIFICATE_NOT_YET_VALID,
    Reason.SVID_INVALID,
}


class NativeFronts:
    """One Envoy at a time, for the policy of one corpus file; what it decided is looked at when it has ended."""

    def __init__(self, envoy_binary: Path, authorization: Authorization, folder: Path) -> None:
        self._binary, self._authorization, self._folder = envoy_binary, authorization, folder
        self._running = ExitStack()
        self._file = ""
        self._front: Front | None = None
        self._policy: PolicySet | None = None
        self._asked_for: list[Case] = []
        self.decided = self.asked = self.shadowed = 0

    def note(self, case: Case) -> None:
        """`case` was answered, by Envoy or by peergate."""
        self._asked_for.append(case)

    def of_file(self, file: str, policy: PolicySet) -> Front:
        if self._front is None or self._file != file:
            self.close()
            folder = self._folder / file
            folder.mkdir()
            now = time.time()
            compiled, shadow = compiled_from_policy(policy, now), shadow_from_policy(policy, now)
            native = NativeFilters(
                tuple(network_filters(compiled.admission)),
                (told_filter(told_for(policy, policy)), *http_filters(compiled, self._authorization, shadow)),
                manager_options(compiled.admission),
                route_options(compiled.admission),
                access_log(str(folder / "decided.log")),
            )
            self._file, self._policy = file, policy
            self._front = self._running.enter_context(
                front(self._binary, self._authorization, folder, native=native, client_cas=policy.trust)
            )
        return self._front

    def close(self) -> None:
        self._running.close()
        if self._front is not None:
            log = (self._folder / self._file / "access.log").read_text().splitlines()
            lines = [line for line in map(json.loads, log) if line["status"] not in REFUSED_BY_ENVOY]
            assert len(lines) == len(self._asked_for)
            for line, case in zip(lines, self._asked_for, strict=True):
                self._compare(line["native"], line["shadow"], case)
            self._look_again([case for line, case in zip(lines, self._asked_for, strict=True) if _decided(line)])
        self._front, self._asked_for = None, []

    def _look_again(self, decided: list[Case]) -> None:
        """The records of what Envoy decided name every rule, and the same policy as the next one decides the same."""
        policy = self._policy
        assert policy is not None
        look = SecondLook(Metrics(), FixedPolicy(policy))
        look.know(policy)
        lines = (self._folder / self._file / "decided.log").read_bytes().splitlines()
        for line, case in zip(lines, decided, strict=True):
            seen = look.seen(native_decision_from_line(line, look.trust))
            expected = (case.expect.reason, tuple(case.expect.rules))
            assert seen.whole, (case, seen.decision.problems)
            assert (seen.decision.reason, seen.decision.rules) == expected, case
            assert seen.following is not None
            assert (seen.following.reason, seen.following.rules) == expected, case
            shadow = seen.decision.shadow
            assert (shadow and (shadow.reason, list(shadow.rules))) == (
                case.shadow and (case.shadow.reason, list(case.shadow.rules))
            ), case

    def _compare(self, name: str, shadow: str | None, case: Case) -> None:
        """Envoy says which rule decided, or that it has asked; and which would with shadow rules enforced."""
        verdict = verdict_from_name(name)
        if verdict is None:
            self.asked += 1
            return
        self.decided += 1
        assert (verdict.effect, verdict.reason) == (case.expect.effect, case.expect.reason)
        assert verdict.rule is None or verdict.rule in case.expect.rules
        noted = verdict_from_name(shadow) if shadow else None
        if noted is not None:
            self.shadowed += noted != verdict
            expected = case.shadow or case.expect
            assert (noted.effect, noted.reason) == (expected.effect, expected.reason)
            assert noted.rule is None or noted.rule in expected.rules


def _decided(line: dict[str, str]) -> bool:
    return verdict_from_name(line["native"]) is not None


@pytest.fixture(scope="module")
def fronts(
    extauth: LocalExtauth, envoy_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NativeFronts]:
    running = NativeFronts(envoy_binary, Authorization(extauth.grpc, timeout=5), tmp_path_factory.mktemp("native"))
    yield running
    running.close()
    assert running.decided > 100  # the corpus is made of what is odd; the rest is asked
    assert running.shadowed >= 4


@pytest.mark.parametrize("case", cases("native"), ids=str)
def test_an_envoy_that_decides_natively_enforces(
    case: Case, setting: Settings, extauth: LocalExtauth, fronts: NativeFronts
) -> None:
    world, policy = setting(case.file)
    running = fronts.of_file(case.file, policy)
    try:
        assert_enforced(case, world, policy, extauth, running)
        if not case.refused_by_envoy:
            fronts.note(case)
    except ssl.SSLError:
        # A certificate that no CA of the policy vouches for, or that is out of date, ends at the handshake.
        assert case.expect.reason in _REFUSED_AT_THE_HANDSHAKE
        assert running.upstream.received == []
