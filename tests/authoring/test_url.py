"""A URL is taken apart, never repaired."""

import pytest

from policies.authoring.url import Target, target_from_url


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("/a", Target(None, "/a")),
        ("//a//b", Target(None, "//a//b")),
        ("https://h/a", Target("h", "/a")),
        ("http://h:80/a?b=c", Target("h:80", "/a?b=c")),
        ("https://h", Target("h", "/")),
        ("https://h?x=1", Target("h", "/?x=1")),
        ("https://h#f", Target("h", "/#f")),
        ("https://h/a/../b;c%2f d\n", Target("h", "/a/../b;c%2f d\n")),
        ("https://user@h/a", Target("user@h", "/a")),
        ("https:///a", Target("", "/a")),
    ],
)
def test_host_and_path_stay_as_they_were_written(url: str, target: Target) -> None:
    assert target_from_url(url) == target


@pytest.mark.parametrize("url", ["", "h/a", "ftp://h/a", "HTTPS://h/a", "https:/h", "*", " /a"])
def test_anything_else_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="neither https://host/path nor /path"):
        target_from_url(url)
