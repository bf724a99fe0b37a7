"""Resources of different pods have different names, that Kubernetes takes."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from extauth.istio.names import names_of_pods
from policies.authoring.istio.exporting.exporting import Pods

#: RFC 1123 subdomain, with the part that is added to a name.
_NAME = re.compile(r"(?=.{1,230}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]+)*")


@given(st.lists(st.from_regex(r"\A[a-z0-9_-]{1,40}(\.[a-z0-9_-]{1,40}){0,5}\Z"), min_size=1, max_size=6))
def test_names_are_distinct_and_taken_by_kubernetes(hosts: list[str]) -> None:
    names = names_of_pods([Pods("prod", {"app": str(n)}, (host,)) for n, host in enumerate(hosts)])
    assert all(map(_NAME.fullmatch, names))
    assert not any(one == other for one, other in pairwise(sorted(names)))


def test_what_is_for_a_whole_namespace_is_called_peergate() -> None:
    pods = [Pods("prod", {}, ("a.svc",)), Pods("test", {}, ("b.svc",)), Pods("dev", {"app": "c"}, ("c.svc",))]
    assert names_of_pods(pods) == ["peergate", "peergate", "peergate-c-svc"]
