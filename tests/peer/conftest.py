"""How hypothesis runs here."""

from hypothesis import HealthCheck, settings

# A deadline on a shared machine measures the neighbours; the suite has its own time limit.
settings.register_profile("shared-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared-machine")
