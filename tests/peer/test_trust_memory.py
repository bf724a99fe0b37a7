"""What a CA has said is remembered beyond the generation, and the process, that had it in force."""

import pickle
from dataclasses import replace
from datetime import timedelta

from pki.authority import Authority
from policies.peer.crl import CrlAge, crl_from_bytes
from policies.peer.spiffe import TrustDomain
from policies.peer.trust import Revocation, TrustEntry, TrustStore
from policies.peer.trust_memory import NOTHING_REMEMBERED, TrustMemory
from tests.peer.forge import NOW, parsed

MESH, OTHER = Authority.root("mesh", now=NOW), Authority.root("other", now=NOW)
DOMAIN = TrustDomain.parse("acme.internal")


def store(*crls: bytes, of: Authority = MESH, memory: TrustMemory = NOTHING_REMEMBERED) -> TrustStore:
    read = tuple(crl_from_bytes(crl) for crl in crls)
    return TrustStore([TrustEntry("mesh", (parsed(of.issued),), crls=read)], memory=memory)


def test_a_crl_older_than_the_remembered_one_is_told_in_a_process_that_never_had_that_one() -> None:
    memory = pickle.loads(pickle.dumps(store(MESH.crl(number=2)).memory))  # as between workers
    before = TrustStore(memory=memory)
    assert store(MESH.crl(number=1)).crl_rollbacks(before)
    assert not store(MESH.crl(number=2)).crl_rollbacks(before)
    assert not store(OTHER.crl(number=1), of=OTHER).crl_rollbacks(before)


def test_a_ca_that_had_a_crl_in_another_process_and_has_none_here_is_told() -> None:
    now = store()
    assert now.crls_gone(TrustStore(memory=store(MESH.crl()).memory), now.entries[0])
    off = replace(now.entries[0], revocation=Revocation.OFF)
    assert not now.crls_gone(TrustStore(memory=store(MESH.crl()).memory), off)


def test_of_two_memories_the_newest_of_each_is_kept() -> None:
    key = next(iter(store(MESH.crl()).memory.crls))
    old, new = CrlAge(1, 10.0), CrlAge(2, 5.0)
    one, two = TrustMemory({key: old}, {DOMAIN: 7}), TrustMemory({key: new}, {DOMAIN: 3})
    assert one.joined(two) == two.joined(one) == TrustMemory({key: new}, {DOMAIN: 7})
    assert one.joined(NOTHING_REMEMBERED) == one


def test_a_memory_goes_on_from_generation_to_generation() -> None:
    first = store(memory=store(MESH.crl(number=5, this_update=NOW - timedelta(minutes=1))).memory)
    assert TrustStore(first.entries, first).memory == first.memory != NOTHING_REMEMBERED
