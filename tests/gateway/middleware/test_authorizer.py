"""The middleware keeps up what its policy names, CRLs from a URL too."""

from pathlib import Path

from gateway.middleware.authorizer import Authorizer
from tests.runtime.crl_server import crl_server
from tests.runtime.world import ROOT, RULES, eventually, write_policy


def test_a_crl_that_the_policy_names_by_url_is_fetched(tmp_path: Path) -> None:
    with crl_server() as server:
        server.body = ROOT.crl([7])
        crls = f"crls: [{{url: '{server.url}', allow_private: true}}]"
        entry = f"mesh: {{anchors: [pki/mesh-root.pem], spiffe_trust_domain: acme.internal, {crls}}}"
        write_policy(tmp_path, f"version: 1\ntrust:\n  {entry}\n{RULES}")
        authorizer = Authorizer.from_policy(str(tmp_path), decision_log="off")
        try:
            eventually(lambda: authorizer.current is not None and bool(authorizer.current.trust.lists.keys))
        finally:
            authorizer.close()
