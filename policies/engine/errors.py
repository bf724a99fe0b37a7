"""Requests that cannot be judged.

RequestError            carries the reason of the refusal and a message for people
├── RequestMalformed    `request_malformed`
├── HostInvalid         `host_invalid`
└── PathAmbiguous       `path_ambiguous`

The same errors are raised for hosts and paths that a policy writes, and become problems there.
"""

from typing import ClassVar

from policies.reason import Reason


class RequestError(ValueError):
    """A request, host or path that is refused before any rule is read."""

    reason: ClassVar[Reason] = Reason.REQUEST_MALFORMED


class RequestMalformed(RequestError):  # noqa: N818 - named after its reason
    """Neither origin-form nor absolute-form, or no usable method."""


class HostInvalid(RequestError):  # noqa: N818 - named after its reason
    """Not exactly one acceptable host."""

    reason = Reason.HOST_INVALID


class PathAmbiguous(RequestError):  # noqa: N818 - named after its reason
    """A path that two readers could decode differently."""

    reason = Reason.PATH_AMBIGUOUS
