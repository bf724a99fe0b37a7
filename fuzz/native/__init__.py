"""Random policies, certificates and raw requests, through a real Envoy that decides by itself or asks, and the engine.

`python -m fuzz.native --cases 1000000`. Law: Envoy lets through what the engine allows and nothing else; what it says
of its own decision, and what peergate answers where it is asked, is what the engine says. One Envoy has a filter chain
for each of many policies, told apart by server name. What differs is made small and kept as a seed, which the tests
replay.
"""
