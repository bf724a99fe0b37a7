"""What is new in a policy, told to Envoy before the policy itself is, and how long the policy may wait then.

Envoy takes a small filter at once, but nothing while it takes a large policy, for seconds. So where all that is new is
in the small filter, a large policy waits until nothing has changed for a while: the next revocation is not held up.
"""

from dataclasses import replace
from math import inf
from threading import Lock

from extauth.native.admission import EntryAdmission, admission_from_policy, listed_serials
from extauth.native.change import NO_CHANGE, change_from_policies, matcher_from_change
from extauth.native.files import EXTENSION, EnvoyFiles
from extauth.native.filters import change_filter
from policies.engine.policy_set import PolicySet

CHANGE_FILE = "change"
#: Seconds without a change after which a large policy is written, and for which it waits at most.
QUIET_SECONDS = 5.0
MAX_WAIT_SECONDS = 30.0
#: From which size on a policy waits, bytes: what is smaller is taken in a moment.
LARGE_BYTES = 2_000_000


class TellChange:
    """For one Envoy. Policies are told by one thread, and written by another.

    INVARIANT: the small filter has all that is new since the policy that Envoy has, whatever was told meanwhile.
    """

    def __init__(self, files: EnvoyFiles, policy_file: str) -> None:
        self._files = files
        self._policy_file = policy_file
        self._lock = Lock()
        self._change = NO_CHANGE
        #: The last policy that was told.
        self.latest: PolicySet | None = None
        # The last that was written for Envoy to take.
        self._written: PolicySet | None = None
        # Since when the last policy waits, when it was told, and until when it waits; epoch seconds.
        self._since = self._told = self._due = inf

    def tell(self, policy: PolicySet | None, now: float, *, native: bool) -> bool:
        """Have Envoy ask about what is new in `policy`; whether the policy itself may wait. Raises OSError.

        `native`: whether Envoy decides anything by it; `now`: epoch seconds.
        """
        with self._lock:
            self.latest = policy
            before = self._written
            if before is not None and policy is not None and native:
                self._change = self._change.joined(change_from_policies(before, policy))
            self._files.write(CHANGE_FILE, EXTENSION, change_filter(matcher_from_change(self._change)))
            waits = before is not None and policy is not None and native and self._may_wait(before, policy, now)
            self._told = now
            self._since = min(self._since, now) if waits else inf
            self._due = min(now + QUIET_SECONDS, self._since + MAX_WAIT_SECONDS) if waits else inf
            return waits

    def is_due(self, now: float) -> bool:
        """Whether the last policy has waited long enough. `now`: epoch seconds."""
        with self._lock:
            # A clock that was set back does not make it wait for longer.
            return self._due < inf and not self._since <= now < self._due

    def written(self, policy: PolicySet | None) -> None:
        """The policy is where Envoy finds it."""
        with self._lock:
            self._written = policy
            if policy is self.latest:
                self._since = self._due = inf
            elif self._due < inf:
                # A later one waits as if nothing had waited before it, so that Envoy is free in between.
                self._since, self._due = self._told, self._told + QUIET_SECONDS

    def taken(self) -> None:
        """Envoy has the policy that was written last. Raises OSError; then it goes on asking."""
        with self._lock:
            written, latest = self._written, self.latest
            if written is not None and latest is not None:
                # What was told since, and nothing that is in this policy.
                change = self._change.narrowed(change_from_policies(written, latest))
                self._files.write(CHANGE_FILE, EXTENSION, change_filter(matcher_from_change(change)))
                self._change = change

    def _may_wait(self, before: PolicySet, after: PolicySet, now: float) -> bool:
        """Whether Envoy decides by the policy before, with what it asks about, as it would by this one."""
        if after.rules is not before.rules or self._files.size(self._policy_file) < LARGE_BYTES:
            return False
        listed = listed_serials(after.trust.entries) - listed_serials(before.trust.entries)
        old, new = admission_from_policy(before, now), admission_from_policy(after, now)
        if not listed <= self._change.serials or isinstance(old, str) or isinstance(new, str):
            return False
        return old.stamp == new.stamp and all(map(_is_no_stricter, old.entries, new.entries))


def _is_no_stricter(old: EntryAdmission, new: EntryAdmission) -> bool:
    return replace(new, until=old.until) == old and new.until >= old.until
