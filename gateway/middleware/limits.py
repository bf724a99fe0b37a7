"""How often open requests are judged again, in how large steps, and how long a chain is read."""

#: Seconds between two looks at the requests that are open. Law 9 gives 5 s from a change to the end of a request; a
#: changed file is in force within 3.
LOOK_SECONDS = 1.0
#: Open requests that are judged before others get their turn; a judgement takes some 10 microseconds.
JUDGED_AT_ONCE = 200
#: Certificates of a presented chain that are read at most, leaf included; the policy has a smaller limit of its own.
MAX_CHAIN_CERTIFICATES = 64
