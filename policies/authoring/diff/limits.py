"""How much two policies are compared before the rest counts as not proved equal."""

#: Alternatives of one identity, once `any`, `all` and `not` are multiplied out.
MAX_WAYS = 100_000
#: Alternatives of one route and the circumstances of its rule; beyond it, lists stay lists.
MAX_PLACES = 256
#: Pairs of caller and route alternatives of one changed rule that are looked at one by one.
MAX_PARTS_OF_RULE = 20_000
#: Requests that are decided for one question, and for one comparison (about 20 s).
MAX_POINTS_OF_QUESTION = 3_000
MAX_POINTS = 60_000
#: Pairs of rules that set one header.
MAX_DISAGREEMENTS = 40_000
#: Changes of one allow rule and one deny rule that are told one by one; the rest of what they share is not asked.
MAX_CHANGES_OF_PAIR = 20
