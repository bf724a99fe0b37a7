"""PEM as Envoy writes it into `source.certificate` and XFCC: `\\n`, blank, `+`, `/` and `=` percent-encoded."""

from urllib.parse import quote


def percent_encoded(pem: bytes) -> str:
    return quote(pem, safe="")
