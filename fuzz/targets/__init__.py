"""Every target by its name."""

from fuzz.target import Target
from fuzz.targets import (
    certificate,
    discovery,
    forward_auth,
    policy,
    proxy_header,
    question,
    replay,
    rewriting,
    scope,
    target,
    workload,
    xfcc,
)

TARGETS: dict[str, Target] = {
    found.name: found
    for found in (
        certificate.CERTIFICATE,
        certificate.CRL,
        certificate.BUNDLE,
        certificate.NAME,
        workload.TARGET,
        xfcc.TARGET,
        *proxy_header.TARGETS,
        policy.TARGET,
        discovery.STATE_OF_THE_WORLD,
        discovery.DELTA,
        rewriting.TARGET,
        replay.TARGET,
        question.CHECK,
        question.HTTP,
        question.RECORD,
        scope.SCOPE,
        *forward_auth.TARGETS,
        target.PATH,
        target.HOST,
    )
}
