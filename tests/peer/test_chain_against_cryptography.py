"""Our verdicts on chains, held against those of cryptography's verifier where its web profile says the same."""

from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from hypothesis import event, given, settings
from hypothesis import strategies as st

from policies.peer.presented import presented_from_der
from policies.peer.trust import TrustEntry, TrustStore
from tests.peer.forge import (
    DAY,
    NOW,
    Extension,
    Forged,
    alternative_names,
    authority,
    certificate,
    key_usage,
    raw_extension,
)

PURPOSES = {
    "client": [ExtendedKeyUsageOID.CLIENT_AUTH],
    "server": [ExtendedKeyUsageOID.SERVER_AUTH],
    "both": [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
    "any": [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE],
}
# Mostly in order, so that many chains hold and each fault is met alone.
purposes = st.sampled_from([None] * 12 + list(PURPOSES))
validities = st.sampled_from([(-2, 2)] * 16 + [(-2, -1), (1, 2)])
rarely = st.sampled_from([False] * 15 + [True])
constraints = st.sampled_from([None] * 6 + ["permitted", "excluded"])


@dataclass(frozen=True)
class Link:
    """One certificate to be made."""

    purpose: str | None
    validity: tuple[int, int]
    path_length: int | None
    signs: bool
    imitated: bool
    unknown_critical: bool
    constraint: str | None


links = st.builds(
    Link,
    purposes,
    validities,
    st.sampled_from([None, None, 0, 1]),
    rarely.map(lambda yes: not yes),
    rarely,
    rarely,
    constraints,
)


def extensions_of(link: Link, issuer: Forged | None) -> list[Extension]:
    found: list[Extension] = []
    if link.purpose is not None:
        found.append((x509.ExtendedKeyUsage(PURPOSES[link.purpose]), False))
    if link.unknown_critical:
        found.append(raw_extension("1.2.3.4", b"x", critical=True))
    if issuer is not None:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        found.append((identifier, False))
    return found


def made_authority(name: str, link: Link, issuer: Forged | None) -> Forged:
    start, end = link.validity
    extra = extensions_of(link, issuer)
    base: list[x509.GeneralName] = [x509.DNSName("acme.example")]
    if link.constraint == "permitted":
        extra.append((x509.NameConstraints(base, None), True))
    if link.constraint == "excluded":
        extra.append((x509.NameConstraints(None, base), True))
    return authority(
        name,
        issuer=issuer,
        path_length=link.path_length,
        usage=key_usage("key_cert_sign") if link.signs else key_usage("crl_sign"),
        not_before=NOW + timedelta(days=start),
        not_after=NOW + timedelta(days=end),
        extra=extra,
    )


def accepted_by_cryptography(leaf: Forged, cas: list[Forged], anchor: Forged) -> bool:
    verifier = PolicyBuilder().store(Store([anchor.certificate])).time(NOW).build_client_verifier()
    try:
        verifier.verify(leaf.certificate, [ca.certificate for ca in cas])
    except VerificationError:
        return False
    return True


def accepted_by_us(leaf: Forged, cas: list[Forged], anchor: Forged) -> bool:
    store = TrustStore([TrustEntry("a", (anchor.parsed,))])
    return store.standing(presented_from_der(leaf.der, [ca.der for ca in cas]), NOW.timestamp()).reason is None


@settings(max_examples=250)
@given(st.lists(links, min_size=1, max_size=4), links, st.sampled_from(["a.acme.example", "evil.example"]), rarely)
def test_a_chain_is_accepted_exactly_if_cryptography_accepts_it(
    above: list[Link], last: Link, dns: str, ca_as_leaf: bool
) -> None:
    chain: list[Forged] = []
    for depth, link in enumerate(above):
        issuer = chain[-1] if chain else None
        if link.imitated and issuer is not None:
            issuer = Forged(issuer.certificate, certificate().key)
        chain.append(made_authority(f"CA {depth}", link, issuer))
    start, end = last.validity
    basic: Extension = (x509.BasicConstraints(ca=ca_as_leaf, path_length=None), True)
    leaf = certificate(
        "leaf",
        issuer=chain[-1],
        not_before=NOW + start * DAY,
        not_after=NOW + end * DAY,
        extensions=[basic, alternative_names(dns=[dns]), *extensions_of(last, chain[-1])],
    )
    anchor, *cas = chain
    ours = accepted_by_us(leaf, cas, anchor)
    event(f"accepted: {ours}")
    assert ours == accepted_by_cryptography(leaf, cas, anchor)
