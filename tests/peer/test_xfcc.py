"""The XFCC grammar, as Envoy writes it and as an attacker would."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.peer.errors import XfccError
from policies.peer.limits import MAX_HEADER_CHARS, MAX_XFCC_ELEMENTS
from policies.peer.xfcc import XfccElement, parse_xfcc, xfcc_elements
from tests.peer.envoy_xfcc import Written, written_by_envoy

HASH = "ab" * 32


@pytest.mark.parametrize("case", written_by_envoy(mode="SANITIZE_SET", certificate="plain"), ids=str)
def test_what_envoy_writes_is_read(case: Written) -> None:
    element = parse_xfcc(case.written)
    assert element.by == ("spiffe://td/envoy",)
    assert len(element.hash) == 64
    assert element.cert.startswith("-----BEGIN CERTIFICATE-----\n")
    assert element.chain.startswith(element.cert)
    assert element.chain.count("BEGIN CERTIFICATE") == 2
    assert (element.subject, element.uri, element.dns) == (
        "CN=x,O=Acme",
        ("spiffe://td/ns/a",),
        ("a.example", "b.example"),
    )
    assert element.is_json is (case.form == "JSON")


@pytest.mark.parametrize("name", ["plain", "nosan"])
def test_text_and_json_of_one_certificate_say_the_same(name: str) -> None:
    text, as_json = (parse_xfcc(case.written) for case in written_by_envoy(mode="SANITIZE_SET", certificate=name))
    assert (text.hash, text.cert, text.chain, text.subject, text.uri, text.dns) == (
        *(as_json.hash, as_json.cert, as_json.chain, as_json.subject, as_json.uri, as_json.dns),
    )


APPENDED = written_by_envoy(mode="APPEND_FORWARD")


@pytest.mark.parametrize("case", APPENDED[:2], ids=str)
def test_of_an_appended_value_only_the_last_element_is_the_peer(case: Written) -> None:
    first, last = xfcc_elements(case.written)
    assert first.uri == ("spiffe://td/caller",)
    assert last == parse_xfcc(case.written)
    assert last.uri == ("spiffe://td/ns/a",)


@pytest.mark.parametrize("case", APPENDED[2:], ids=str)
def test_what_envoy_appended_to_a_malformed_value_is_refused(case: Written) -> None:
    with pytest.raises(XfccError):
        parse_xfcc(case.written)


def test_the_element_of_an_earlier_proxy_is_not_the_peer() -> None:
    text = f"Hash={HASH};URI=spiffe://td/first,By=spiffe://td/e;Hash={'cd' * 32};URI=spiffe://td/last"
    assert parse_xfcc(text).uri == ("spiffe://td/last",)
    assert len(xfcc_elements(text)) == 2


def test_keys_are_case_insensitive_and_values_are_not() -> None:
    assert parse_xfcc(f"hash={HASH};uri=spiffe://td/A").uri == ("spiffe://td/A",)


def test_quoted_values_may_hold_every_delimiter() -> None:
    element = parse_xfcc(f'Hash={HASH};Subject="CN=a\\"\\,b,O=c;d=e";URI="spiffe://td/x\\"y;z,"')
    assert element.subject == 'CN=a\\"\\,b,O=c;d=e'
    assert element.uri == ('spiffe://td/x"y;z,',)


def test_an_unquoted_value_may_hold_an_equals_sign() -> None:
    assert parse_xfcc("URI=spiffe://td/a=b").uri == ("spiffe://td/a=b",)


def test_by_uri_and_dns_may_be_repeated_and_empty() -> None:
    element = parse_xfcc('By=a;By=b;URI=;DNS=c;DNS=d;Subject=""')
    assert (element.by, element.uri, element.dns, element.subject) == (("a", "b"), (), ("c", "d"), "")


def test_blanks_after_a_comma_are_nothing() -> None:
    assert len(xfcc_elements("By=a, By=b,\tBy=c")) == 3


@pytest.mark.parametrize("key", ["Hash", "Cert", "Chain", "Subject"])
def test_a_repeated_single_key_is_refused(key: str) -> None:
    with pytest.raises(XfccError, match="repeated"):
        parse_xfcc(f"{key}={HASH};{key.lower()}={HASH}")
    value = [HASH] if key == "Chain" else HASH
    with pytest.raises(XfccError, match="repeated"):
        parse_xfcc(f'[{{"{key.lower()}": {json.dumps(value)}, "{key.lower()}": {json.dumps(value)}}}]')


@pytest.mark.parametrize(
    "text",
    [
        *("", ",", ";", "By", "=a", "By=a;", "By=a,", ",By=a", "By=a,,By=b", "By=a;;By=b", " By=a", "By =a", "By=a\n"),
        *(
            'By="a',
            'By=a"',
            'By="a"b',
            'By=a"b"',
            'By="a""b"',
            'By="a\\"',
            'Subject="CN=a";"',
            'By=a;"b"',
            'By="a\\',
            'By="',
        ),
        *("Hash=zz", "Hash=", f"Hash={HASH}00", "San=a", "Foo=b", "By=a;Foo=b", 'Cert="%zz"', "Cert=%4", 'Chain="%ff"'),
        *("By=a\x00", "By=a\x7f", "By=a\r"),
        *(
            "[]",
            "[",
            "[1]",
            "[[]]",
            '["By=a"]',
            "[null]",
            '[{"by": "a"}]',
            '[{"by": [1]}]',
            '[{"hash": ["a"]}]',
            '[{"hash": 1}]',
        ),
        *(
            '[{"Hash": "a"}]',
            '[{"foo": "a"}]',
            '[{"chain": "a"}]',
            '[{"cert": ["a"]}]',
            "[{}],[{}]",
            "[{}",
            '[{"uri": [["a"]]}]',
        ),
        *("[{}, 1]", '[{"hash": "zz"}]', "[" * 60_000, '[{"by": ["a"], "by": ["b"]}]', "[{}] x"),
    ],
)
def test_what_is_not_of_the_grammar_is_refused_whole(text: str) -> None:
    with pytest.raises(XfccError):
        parse_xfcc(text)


def test_a_malformed_earlier_element_refuses_the_whole() -> None:
    with pytest.raises(XfccError):
        parse_xfcc(f"Foo=bar,Hash={HASH}")


def test_values_and_elements_over_the_limits_are_refused() -> None:
    with pytest.raises(XfccError, match="more than"):
        parse_xfcc("By=" + "a" * MAX_HEADER_CHARS)
    assert len(xfcc_elements(",".join(["By=a"] * MAX_XFCC_ELEMENTS))) == MAX_XFCC_ELEMENTS
    with pytest.raises(XfccError, match="17 elements"):
        xfcc_elements(",".join(["By=a"] * (MAX_XFCC_ELEMENTS + 1)))


def test_an_injected_key_or_element_is_seen_as_such() -> None:
    # What a SAN with a delimiter makes of text; `forwarded` refuses it by the certificate.
    assert parse_xfcc("URI=spiffe://td/low;URI=spiffe://td/admin").uri == ("spiffe://td/low", "spiffe://td/admin")
    assert len(xfcc_elements("DNS=a.ex,URI=spiffe://td/x")) == 2


@given(st.text(max_size=100))
def test_law_no_text_raises_anything_but_xfcc_error(text: str) -> None:
    for candidate in (
        text,
        f"By={text}",
        f'Subject="{text}"',
        f"[{text}]",
        f'[{{"hash": {json.dumps(text)}}}]',
        f"By=a,{text}",
    ):
        try:
            assert isinstance(parse_xfcc(candidate), XfccElement)
        except XfccError:
            continue


@given(st.data())
def test_law_no_changed_character_of_what_envoy_wrote_raises_anything_but_xfcc_error(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(written_by_envoy()))
    at = data.draw(st.integers(0, len(case.written) - 1))
    changed = case.written[:at] + data.draw(st.text(max_size=3)) + case.written[at + 1 :]
    try:
        parse_xfcc(changed)
    except XfccError:
        return
