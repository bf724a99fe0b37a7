"""What becomes of what a rule decides: enforced, or (shadow) decided and logged only."""

ENFORCE = "enforce"
SHADOW = "shadow"
MODES = (ENFORCE, SHADOW)
