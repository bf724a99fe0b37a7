"""The pure core: policy language, certificate facts, decision. No I/O, no clock, no logging: bytes and times come in as parameters."""
