"""Why a part of a policy is not exported.

UnsayableError   one selector, route or condition
"""

from policies.authoring.istio.exporting.codes import ExportCode


class UnsayableError(Exception):
    """An AuthorizationPolicy cannot say this exactly; `hint` says how to write it so that it can."""

    def __init__(self, code: ExportCode, message: str, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
