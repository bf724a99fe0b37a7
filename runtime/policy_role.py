"""What a policy of a process is for, and how the log speaks of it: the one in force, and the next one beside it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PolicyRole:
    """The words of one role. `name`: the prefix of its metrics, after `peergate_`.

    `taken`: a new generation is used. `same`: the generation was read again. `kept`: the last good one is used on.
    `none`: there has never been a good one.
    """

    name: str
    subject: str
    taken: str
    same: str
    kept: str
    none: str

    @property
    def problem(self) -> str:
        """One thing that is wrong with it."""
        return f"{self.subject} problem"

    @property
    def load_failed(self) -> str:
        """A bug."""
        return f"loading the {self.subject} failed"

    @property
    def unsettled(self) -> str:
        """It changes all the time."""
        return f"the {self.subject} never lies still, so it is not read"

    @property
    def watch_failed(self) -> str:
        """A bug, too."""
        return f"watching the {self.subject} failed, going on"


ENFORCED = PolicyRole(
    "policy",
    "policy",
    "policy in force",
    "policy unchanged",
    "policy refused, last good kept",
    "policy refused, everything is denied",
)
COMPARED = PolicyRole(
    "shadow_policy",
    "shadow policy",
    "shadow policy compared from now on",
    "shadow policy unchanged",
    "shadow policy refused, last good compared",
    "shadow policy refused, nothing is compared",
)
