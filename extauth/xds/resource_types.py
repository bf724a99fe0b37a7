"""The types of resources that are delivered, by their URLs on the wire."""

from extauth.wire.encode import TYPE_PREFIX

#: ECDS: one HTTP filter.
FILTER = f"{TYPE_PREFIX}envoy.config.core.v3.TypedExtensionConfig"
#: SDS: whom a listener trusts.
SECRET = f"{TYPE_PREFIX}envoy.extensions.transport_sockets.tls.v3.Secret"

SERVED = (FILTER, SECRET)


def short(type_url: str) -> str:
    """The name of a type for people: that of its message, without packages."""
    return type_url.rpartition(".")[2]
