"""What `peergate doctor` shows is what the engine decides: every certificate of the corpus, whenever it is judged."""

import pytest

from policies.authoring.examination import examination_from_presented
from policies.peer.presented import MalformedCertificate, PresentedCertificate
from tests.authoring.examined import verdict_by_checks, verdict_of_product
from tests.decisions.conftest import Settings
from tests.decisions.corpus import Case, cases
from tests.decisions.engine import request_from_case

#: One case for each certificate and time of a world: the rest of a request does not touch a certificate.
#: It judges what it is shown, and takes no proxy's word.
JUDGED = [case for case in cases("engine") if case.certificate and not case.verified_for]
CASES = list({(case.file, case.certificate, case.at): case for case in JUDGED}.values())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}: {case.certificate} {case.at}".strip())
def test_law_the_checks_come_to_the_verdict_of_the_policy(case: Case, setting: Settings) -> None:
    world, policy = setting(case.file)
    request = request_from_case(case, world, policy, world.time(case.at))
    assert isinstance(request.peer, PresentedCertificate | MalformedCertificate)
    examination = examination_from_presented(request.peer, request.time, policy.trust)
    assert verdict_by_checks(examination) == verdict_of_product(examination)
    assert examination.standing == policy.trust.standing(request.peer, request.time)
