"""How much of a policy is exported; what is beyond is refused."""

#: Alternatives of some callers times alternatives of others, where both must hold.
MAX_COMBINATIONS = 1024
