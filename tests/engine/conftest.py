"""What the policies of these tests refer to."""

import pytest

from pki.authority import Authority


@pytest.fixture(scope="session")
def mesh() -> dict[str, bytes]:
    """The files that policies name: two anchors."""
    return {"root.pem": Authority.root("mesh").pem, "other.pem": Authority.root("other").pem}
