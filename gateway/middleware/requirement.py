"""A route that only some identities may reach, whatever else the policy allows them."""

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from gateway.middleware.judged import Judged, judged_from_scope
from policies.reason import Reason
from runtime.identity_headers import DECISION_ID, REASON


def requires_identity(*names: str) -> Callable[[HTTPConnection], Awaitable[Judged]]:
    """A dependency (FastAPI: `Depends(requires_identity("billing"))`; Starlette: await it in the endpoint).

    It gives what was judged, and raises HTTPException 403 unless the caller is one of the policy's identities `names`.
    It can only narrow: AuthorizationMiddleware has decided before.
    """
    if not names:
        raise ValueError("requires_identity needs at least one name of an identity of the policy")
    wanted = frozenset(names)

    async def required(connection: HTTPConnection) -> Judged:
        judged = judged_from_scope(connection.scope)
        if wanted.isdisjoint(judged.identities):
            headers = {REASON: Reason.NO_MATCHING_RULE.value, DECISION_ID: judged.decision_id or ""}
            raise HTTPException(403, "the caller is none of the identities that this route is for", headers)
        return judged

    return required
