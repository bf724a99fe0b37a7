"""What is new in a policy, told to Envoy before the policy itself is, and how long the policy may wait then.

Envoy takes a small filter at once, but nothing while it takes a large policy, for seconds. So where all that is new is
in the small filter, a large policy waits until nothing has changed for a while: the next revocation is not held up.
"""

from dataclasses import replace
from math import inf
from threading import Lock

from extauth.native.admission import EntryAdmission, admission_from_policy, listed_serials
from extauth.native.change import NO_CHANGE, Change, change_from_policies, matcher_from_change
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

    INVARIANT: the small filter has all that is new since the policy that Envoy has, or is about to have, whatever was
    told meanwhile.
    """

    def __init__(self, files: EnvoyFiles, policy_file: str) -> None:
        self._files = files
        self._policy_file = policy_file
        self._lock = Lock()
        self._change = NO_CHANGE
        # The last policy that was told.
        self._latest: PolicySet | None = None
        # The last that was written for Envoy to take, and the one that is being compiled and written.
        self._written: PolicySet | None = None
        self._writing: PolicySet | None = None
        # Since when policies wait, inf if none does, and when the last one was told; epoch seconds.
        self._since = self._told = inf

    def tell(self, policy: PolicySet | None, now: float, *, native: bool) -> bool:
        """Have Envoy ask about what is new in `policy`; whether the policy itself may wait. Raises OSError.

        `native`: whether Envoy decides anything by it; `now`: epoch seconds.
        """
        with self._lock:
            self._latest = policy
            waits = False
            if policy is not None and native:
                self._heed(self._change.joined(self._needed(policy)))
                waits = self._may_wait(policy, now)
            else:
                self._heed(self._change)
            self._told = now
            self._since = min(self._since, now) if waits else inf
            return waits

    def begin(self) -> PolicySet | None:
        """The policy to compile and write now, the last that was told: from now on Envoy may have it at any time."""
        with self._lock:
            self._writing = self._latest
            return self._latest

    def is_due(self, now: float) -> bool:
        """Whether the last policy has waited long enough. `now`: epoch seconds."""
        with self._lock:
            due = min(self._told + QUIET_SECONDS, self._since + MAX_WAIT_SECONDS)
            # A clock that was set back does not make it wait for longer.
            return self._since < inf and not self._since <= now < due

    def written(self, policy: PolicySet | None) -> None:
        """The policy is where Envoy finds it."""
        with self._lock:
            self._written, self._writing = policy, None
            if policy is self._latest:
                self._since = inf
            elif self._since < inf:
                # A later one waits as if nothing had waited before it, so that Envoy is free in between.
                self._since = self._told

    def taken(self) -> None:
        """Envoy has the policy that was written last. Raises OSError; then it goes on asking."""
        with self._lock:
            if self._latest is not None:
                # What was told since, and nothing that is in this policy.
                self._heed(self._change.narrowed(self._needed(self._latest)))

    def _heed(self, change: Change) -> None:
        self._files.write(CHANGE_FILE, EXTENSION, change_filter(matcher_from_change(change)))
        self._change = change

    def _needed(self, latest: PolicySet) -> Change:
        """What is new since either of the policies that Envoy has or is about to have."""
        return Change.of_all(change_from_policies(before, latest) for before in self._befores)

    def _may_wait(self, policy: PolicySet, now: float) -> bool:
        """Whether Envoy decides as it would by this policy: by what it has, with what it asks about."""
        if self._written is None:
            return False
        return all(self._decides_alike(before, policy, now) for before in self._befores)

    @property
    def _befores(self) -> list[PolicySet]:
        return [policy for policy in (self._written, self._writing) if policy is not None]

    def _decides_alike(self, before: PolicySet, after: PolicySet, now: float) -> bool:
        if after.rules is not before.rules or self._files.size(self._policy_file) < LARGE_BYTES:
            return False
        listed = listed_serials(after.trust.entries) - listed_serials(before.trust.entries)
        old, new = admission_from_policy(before, now), admission_from_policy(after, now)
        if not listed <= self._change.serials or isinstance(old, str) or isinstance(new, str):
            return False
        return old.stamp == new.stamp and all(map(_is_no_stricter, old.entries, new.entries))


def _is_no_stricter(old: EntryAdmission, new: EntryAdmission) -> bool:
    return replace(new, until=old.until) == old and new.until >= old.until
