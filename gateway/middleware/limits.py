"""How often open requests are judged again, in how large steps; how much is read, and how much remembered."""

#: Seconds between two looks at the requests that are open. Law 9 gives 5 s from a change to the end of a request; a
#: changed file is in force within 3.
LOOK_SECONDS = 1.0
#: Open requests that are judged before others get their turn; a judgement takes some 10 microseconds.
JUDGED_AT_ONCE = 200
#: Certificates of a presented chain that are read at most, leaf included; the policy has a smaller limit of its own.
MAX_CHAIN_CERTIFICATES = 64
#: Sets of header names whose meaning is remembered, and bytes in memory of them. Most clients send a handful of sets.
MAX_REMEMBERED_HEADS = 4096
MAX_REMEMBERED_HEAD_BYTES = 16 * 1024 * 1024
#: Callers with sets of header names of which it is remembered what of them passes and what is added, and bytes of that.
MAX_REMEMBERED_PASSAGES = 16_384
MAX_REMEMBERED_PASSAGE_BYTES = 32 * 1024 * 1024
