"""Serial numbers as Envoy writes them."""


def serial_texts(serial: int) -> tuple[str, ...]:
    """Hex digits, with and without a zero in front that makes their number even; nothing for a negative one."""
    if serial < 0:
        return ()
    text = f"{serial:x}"
    return tuple(dict.fromkeys((text, text.zfill(len(text) + len(text) % 2))))
