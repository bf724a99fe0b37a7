"""The pure core: policy language, certificate facts, decision. No I/O, clock or logging: bytes and times come in."""
