"""How much of a policy is exported; what is beyond is refused."""

#: Combinations of callers that one identity may come down to.
MAX_COMBINATIONS = 256
