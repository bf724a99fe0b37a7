"""Which CRLs were asked, what they said, and what to do where none could."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from pki.authority import Authority
from policies.authoring.examination import examination_from_presented
from policies.authoring.examination_check import Check
from policies.authoring.examination_entry import EntryExamination
from policies.peer.certificate import certificate_from_der
from policies.peer.crl import crl_from_bytes
from policies.peer.fetch_url import FetchUrl, UrlPrefix
from policies.peer.ocsp_responders import OcspResponders
from policies.peer.revocation import Revocation
from policies.peer.trust import TrustEntry, TrustStore
from policies.reason import Reason
from tests.peer.forge import DAY, NOW, presented

TIME = NOW.timestamp()
MESH = Authority.root("Mesh", now=NOW)
ISSUING = MESH.intermediate("Issuing")
LEAF = ISSUING.issue(subject="CN=leaf", serial=0xABC)


def entry(
    crls: Sequence[bytes] = (), revocation: Revocation = Revocation.REQUIRE, *, name: str = "mesh", of: Authority = MESH
) -> TrustEntry:
    return TrustEntry(
        name,
        (certificate_from_der(of.issued.der),),
        (certificate_from_der(ISSUING.issued.der),) if of is MESH else (),
        crls=tuple(map(crl_from_bytes, crls)),
        revocation=revocation,
    )


def examined(*trusted: TrustEntry) -> EntryExamination:
    """What the first entry says of the leaf."""
    return examination_from_presented(presented(LEAF), TIME, TrustStore(trusted)).entries[0]


def revocation(*trusted: TrustEntry) -> Check:
    return examined(*trusted).checks[-1]


def test_a_listed_leaf_is_told_with_its_number_and_the_issuer_of_the_list() -> None:
    found = revocation(entry([ISSUING.crl([LEAF.certificate])]))
    assert (found.reason, found.finding) == (
        Reason.CERTIFICATE_REVOKED,
        "`CN=leaf`, serial number abc, is on a CRL of `CN=Issuing`",
    )
    assert found.fix == "issue a new certificate for a new key"


def test_a_list_that_is_not_current_still_revokes_and_says_so() -> None:
    old = ISSUING.crl([LEAF.certificate], this_update=NOW - 3 * DAY, next_update=NOW - DAY)
    found = revocation(entry([old], Revocation.IF_AVAILABLE))
    assert found.reason is Reason.CERTIFICATE_REVOKED
    assert found.finding.endswith("; it is not current, but what it lists is revoked")


def test_a_listed_intermediate_is_told_apart_from_the_leaf() -> None:
    found = revocation(entry([MESH.crl([ISSUING.issued.certificate]), ISSUING.crl()]))
    assert found.finding.startswith("`CN=Issuing`, serial number")
    assert found.fix == "have the certificate issued by another CA than `CN=Issuing`"


def test_an_anchor_that_the_list_of_another_entry_names_is_told() -> None:
    anchored = TrustEntry("issuing", (certificate_from_der(ISSUING.issued.der),))
    found = examined(anchored, entry([MESH.crl([ISSUING.issued.certificate])], name="other"))
    assert found.reason is Reason.CERTIFICATE_REVOKED
    assert found.checks[-1].finding.startswith("`CN=Issuing`, serial number")


def test_require_without_a_list_of_the_issuer_names_the_issuer() -> None:
    found = revocation(entry([MESH.crl()]))
    assert (found.reason, found.finding) == (
        Reason.REVOCATION_UNKNOWN,
        "`require`, and mesh has no CRL of `CN=Issuing`, which issued the certificate",
    )
    assert found.fix == "add the CRL of `CN=Issuing` to `crls` of mesh"


def test_require_asks_for_a_ca_that_only_the_client_sends_along_with_its_list() -> None:
    sent = replace(entry(), intermediates=())
    assert revocation(sent).fix == "add the CRL of `CN=Issuing` to `crls` of mesh, and that CA to its `intermediates`"


def test_require_with_a_stale_list_says_since_when() -> None:
    found = revocation(entry([ISSUING.crl(this_update=NOW - 3 * DAY, next_update=NOW - DAY)]))
    assert found.finding == "`require`, and the CRL of `CN=Issuing` was to be renewed by 2026-05-31T12:00:00Z"
    assert found.fix == "publish a new CRL of `CN=Issuing`, and put it where `crls` of mesh says"


def test_require_with_a_list_of_the_future_is_a_matter_of_clocks() -> None:
    found = revocation(entry([ISSUING.crl(this_update=NOW + DAY, next_update=NOW + 2 * DAY)]))
    assert found.finding == "`require`, and the CRL of `CN=Issuing` begins at 2026-06-02T12:00:00Z"
    assert "compare the clocks" in found.fix


def test_require_with_a_current_list_passes() -> None:
    found = revocation(entry([ISSUING.crl()]))
    assert found.finding == "`require`: a current CRL of `CN=Issuing` does not list it"


@pytest.mark.parametrize(
    ("crls", "words"),
    [
        ([], "there is no CRL of `CN=Issuing`, and `if-available` asks for none"),
        ([ISSUING.crl()], "no CRL of `CN=Issuing` lists it"),
        (
            [ISSUING.crl(this_update=NOW - 3 * DAY, next_update=NOW - DAY)],
            "no CRL of `CN=Issuing` lists it; none is current, which `if-available` takes",
        ),
    ],
)
def test_if_available_tells_what_there_was(crls: list[bytes], words: str) -> None:
    assert revocation(entry(crls, Revocation.IF_AVAILABLE)).finding == words


def test_off_says_that_no_list_of_the_entry_was_looked_at() -> None:
    found = examined(entry([ISSUING.crl([LEAF.certificate])], Revocation.OFF))
    assert found.checks[-1].finding.startswith("`off`: ")
    assert found.lists == ()


def test_off_does_not_clear_what_another_entry_knows_as_revoked() -> None:
    off = entry(revocation=Revocation.OFF)
    knows = replace(entry([ISSUING.crl([LEAF.certificate])]), name="knows")
    assert revocation(off, knows).reason is Reason.CERTIFICATE_REVOKED


def test_a_list_that_two_entries_have_is_told_once() -> None:
    crl = ISSUING.crl()
    assert len(examined(entry([crl]), entry([crl], name="other")).lists) == 1


def test_every_list_that_was_asked_is_told_with_its_dates_and_answer() -> None:
    stale = MESH.crl(number=7, this_update=NOW - timedelta(days=2), next_update=NOW - timedelta(days=1))
    found = examined(entry([ISSUING.crl([LEAF.certificate], number=3), stale])).lists
    told = [(item.crl.number, item.certificate.subject.text, item.lists, item.current(TIME)) for item in found]
    assert told == [(3, "CN=leaf", True, True), (7, "CN=Issuing", False, False)]


@pytest.mark.parametrize("how", [Revocation.REQUIRE, Revocation.IF_AVAILABLE])
def test_a_url_that_a_command_does_not_ask_is_named(how: Revocation) -> None:
    found = revocation(replace(entry((), how), unfetched=("http://crl.example/m",)))
    assert "; `http://crl.example/m` was not asked, which a service does" in found.finding


@pytest.mark.parametrize("how", [Revocation.REQUIRE, Revocation.IF_AVAILABLE])
def test_a_responder_that_a_command_does_not_ask_is_named(how: Revocation) -> None:
    responders = OcspResponders(FetchUrl.parse("http://ocsp.example/"))
    found = revocation(replace(entry((), how), ocsp=responders))
    assert "; OCSP (http://ocsp.example/) was not asked, which a service does" in found.finding
    expected = Reason.REVOCATION_UNKNOWN if how is Revocation.REQUIRE else None
    assert (found.reason, "openssl ocsp" in found.fix) == (expected, expected is not None)


def test_a_responder_of_the_certificate_is_named_as_that() -> None:
    responders = OcspResponders(None, (UrlPrefix.parse("http://ocsp.example/"),))
    finding = revocation(replace(entry((), Revocation.REQUIRE), ocsp=responders)).finding
    assert finding.startswith(
        "`require`, and nothing is known of it; OCSP (the responder of the certificate) was not asked"
    )
