"""Every case of NIST PKITS on path validation and CRLs; `docs/trust.md` shows the table of results.

Not here: sections 4.8 to 4.12 and 4.16, on certificate policies (which no policy of peergate asks for) and on private
extensions.
"""

from pathlib import Path

import pytest

from policies.peer.chain import Authorities, PathSearch
from policies.peer.crl import Crl
from policies.peer.trust import Revocation, Standing
from policies.reason import Reason
from tests.peer import pkits
from tests.peer.pkits import CASES, SECTIONS, Case
from tests.peer.pkits_expected import (
    ACCEPTED_WITHOUT_REFUSED_FILES,
    CA_LEAF,
    MISSED_WITHOUT_REFUSED_FILES,
    PATH_PROBLEMS,
    REFUSED_AT_LOAD,
    REVOKED,
    STRICTER,
    STRICTER_PATHS,
)

PAGE = Path(__file__).parents[2] / "docs" / "trust.md"
COUNTS = {"4.1": 6, "4.2": 8, "4.3": 11, "4.4": 21, "4.5": 8, "4.6": 17, "4.7": 5, "4.13": 38, "4.14": 35, "4.15": 10}
#: Cases whose leaf is not read at all.
UNREADABLE = {"4.1.5", "4.1.6", "4.4.15"}
NAMED = {case.number: case for case in CASES}


def named(case: Case) -> str:
    return f"{case.number}-{case.leaf}"


every_case = pytest.mark.parametrize("case", CASES, ids=named)
every_valid_case = pytest.mark.parametrize("case", [case for case in CASES if case.valid], ids=named)
every_invalid_case = pytest.mark.parametrize("case", [case for case in CASES if not case.valid], ids=named)


def path_problem(case: Case) -> str:
    """Words of the problem for which the path of `case` has to be refused; empty if PKITS finds no fault in it."""
    by_constraint = case.section == "4.13" and not case.valid
    return "by a name constraint" if by_constraint else PATH_PROBLEMS.get(case.number, "")


def accepted(standing: Standing) -> bool:
    return standing.reason is None and standing.trust == {"pkits"}


# The cases: all of them, as NIST made them.


def test_no_case_of_the_sections_is_left_out() -> None:
    numbers = [f"{section}.{number}" for section, count in COUNTS.items() for number in range(1, count + 1)]
    assert [case.number for case in CASES] == numbers


@every_case
def test_the_verdict_is_the_one_that_the_name_of_the_certificate_says(case: Case) -> None:
    assert case.leaf.startswith("Valid" if case.valid else "Invalid")


def test_nist_signed_a_message_for_each_case_but_one() -> None:
    # By mistake the message of 4.14.18 is that of 4.14.19 once more.
    assert {case.number for case in CASES if case.leaf not in pkits.messages()} == {"4.14.18"}


@pytest.mark.parametrize("case", [case for case in CASES if case.number != "4.14.18"], ids=named)
def test_certificates_and_crls_are_those_of_the_message_that_nist_signed_for_the_case(case: Case) -> None:
    certificates = frozenset(pkits.certificate_der(name) for name in (case.leaf, *case.cas))
    crls = frozenset(pkits.crl_der(name) for name in case.crls)
    assert pkits.messages()[case.leaf] == (certificates, crls)


# Paths alone.


@every_valid_case
def test_a_valid_path_is_accepted_unless_it_is_listed(case: Case) -> None:
    assert accepted(pkits.standing_by_path(case)) == (case.number not in STRICTER_PATHS)


@every_invalid_case
def test_an_invalid_path_is_refused_for_its_fault(case: Case) -> None:
    standing = pkits.standing_by_path(case)
    problem = path_problem(case)
    assert accepted(standing) == (problem == "")
    assert problem in standing.problem


@pytest.mark.parametrize(
    "number", [number for number, why in (STRICTER_PATHS | PATH_PROBLEMS).items() if why == CA_LEAF]
)
def test_of_a_leaf_that_is_a_ca_the_path_is_found_exactly_if_it_is_valid(number: str) -> None:
    """Such a leaf is refused before its path is looked at; here the path is looked at."""
    case = NAMED[number]
    presented = [pkits.certificate(name) for name in case.cas]
    search = PathSearch(
        Authorities.of([pkits.anchor()], []),
        presented,
        lambda child, issuer: child.signature.verifies(issuer.public_key),
    )
    search.run(pkits.certificate(case.leaf))
    # 4.14.11 is invalid by its CRL, not by its path.
    assert bool(search.paths) == (case.valid or case.section == "4.14")


# With the CRLs of the case, under `revocation: require`.


def test_the_files_that_are_refused_at_load_are_these_and_for_these_reasons() -> None:
    found = {name: problem for case in CASES for name, problem in pkits.files(case).refused.items()}
    assert found.keys() == REFUSED_AT_LOAD.keys()
    assert [name for name, problem in found.items() if REFUSED_AT_LOAD[name] not in problem] == []


@every_invalid_case
def test_no_invalid_certificate_is_accepted(case: Case) -> None:
    assert pkits.files(case).refused or not accepted(pkits.standing_with_crls(case))


@every_valid_case
def test_a_valid_certificate_is_accepted_unless_it_is_listed(case: Case) -> None:
    loads = not pkits.files(case).refused
    assert (loads and accepted(pkits.standing_with_crls(case))) == (case.number not in STRICTER)


# The same, the refused files taken out of the policy: whether a policy that loads would be wrong.


@every_valid_case
def test_without_refused_files_a_valid_certificate_is_accepted_unless_it_is_listed(case: Case) -> None:
    listed = case.number in STRICTER and case.number not in ACCEPTED_WITHOUT_REFUSED_FILES
    assert accepted(pkits.standing_with_crls(case)) != listed


@every_invalid_case
def test_without_refused_files_an_invalid_certificate_is_refused_for_its_fault_unless_it_is_listed(case: Case) -> None:
    standing = pkits.standing_with_crls(case)
    if case.number in MISSED_WITHOUT_REFUSED_FILES:
        assert accepted(standing)
    elif path_problem(case):
        assert path_problem(case) in standing.problem
    else:
        reason = Reason.CERTIFICATE_REVOKED if case.number in REVOKED else Reason.REVOCATION_UNKNOWN
        assert standing.reason is reason


@every_case
def test_if_available_accepts_beside_what_require_does_only_what_is_of_unknown_status(case: Case) -> None:
    required = pkits.standing_with_crls(case).reason
    expected = None if required is Reason.REVOCATION_UNKNOWN else required
    assert pkits.standing_with_crls(case, Revocation.IF_AVAILABLE).reason is expected


def lists(crl: Crl, case: Case) -> bool:
    """Whether `crl` names the leaf of `case`: issuer name and serial number are all that is compared."""
    leaf = pkits.certificate(case.leaf)
    return crl.issuer == leaf.issuer and leaf.identity.serial in crl.serials


@pytest.mark.parametrize("case", [case for case in CASES if case.number not in UNREADABLE], ids=named)
def test_a_leaf_that_a_crl_of_its_issuer_lists_is_refused_whatever_the_mode(case: Case) -> None:
    listed = any(lists(crl, case) for crl in pkits.files(case).crls)
    assert not (listed and accepted(pkits.standing_with_crls(case, Revocation.IF_AVAILABLE)))


# The table in the documentation.


def row(section: str) -> list[str]:
    cases = [case for case in CASES if case.section == section]
    by_path = [case for case in cases if case.valid or path_problem(case)]
    path_verdicts = [(case.valid, accepted(pkits.standing_by_path(case))) for case in by_path]
    loaded = {case: not pkits.files(case).refused for case in cases}
    verdicts = [(case.valid, loaded[case] and accepted(pkits.standing_with_crls(case))) for case in cases]
    counts = (
        len(by_path),
        path_verdicts.count((True, False)),
        path_verdicts.count((False, True)),
        len(cases),
        sum(not (case.valid or loaded[case]) for case in cases),
        verdicts.count((True, False)),
        verdicts.count((False, True)),
    )
    return [section, SECTIONS[section], *map(str, counts)]


def results() -> str:
    head = ["section", "subject", "decided by path", "stricter", "wrong"]
    rows = [[*head, "decided with CRLs", "refused at load", "stricter", "wrong"], *map(row, SECTIONS)]
    totals = [str(sum(map(int, column))) for column in list(zip(*rows[1:], strict=True))[2:]]
    return pkits.table([*rows, ["all", "", *totals]])


def unmet() -> str:
    reasons = dict.fromkeys(STRICTER.values())
    listed = [[why, ", ".join(number for number in STRICTER if STRICTER[number] == why)] for why in reasons]
    return pkits.table([["valid in PKITS, refused because", "cases"], *listed])


def test_the_documentation_shows_the_results() -> None:
    print(results())
    assert results() in PAGE.read_text(), f"docs/trust.md needs this table:\n{results()}"


def test_the_documentation_lists_every_case_that_is_not_met() -> None:
    text = PAGE.read_text()
    assert unmet() in text, f"docs/trust.md needs this table:\n{unmet()}"
    assert [number for number in MISSED_WITHOUT_REFUSED_FILES if f"`{number}`" not in text] == []
