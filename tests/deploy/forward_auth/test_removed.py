"""Law 7: the lists of headers in the files are those that every other enforcement point removes."""

import re

import pytest
import yaml

from policies.engine.decision import Decision
from policies.peer.presented import NO_CERTIFICATE
from policies.reason import Reason
from runtime.identity_headers import header_changes
from tests.deploy.files import DEPLOY

_CHANGES = header_changes(
    frozenset(), (), NO_CERTIFICATE, Decision.refusal(Reason.NO_CERTIFICATE, "", ""), "id", xfcc_passes=False
)
REMOVED = {*_CHANGES.removed, *(name for name, _ in _CHANGES.put)}


def test_nginx_removes_each_by_its_name() -> None:
    text = (DEPLOY / "nginx" / "peergate" / "remove.conf").read_text(encoding="utf-8")
    assert {name.lower() for name in re.findall(r'^proxy_set_header (\S+) "";$', text, re.MULTILINE)} == REMOVED


@pytest.mark.parametrize("name", [*sorted(REMOVED), "x_peergate_identity", "X_A", "Ssl-Client-Any", "x-peergate-any"])
def test_the_expression_of_traefik_has_it(name: str) -> None:
    written = yaml.safe_load((DEPLOY / "traefik" / "peergate.yaml").read_text(encoding="utf-8"))
    expression = written["http"]["middlewares"]["peergate-ask"]["forwardAuth"]["authResponseHeadersRegex"]
    assert re.search(expression, name)
    assert not re.search(expression, "x-request-id")
