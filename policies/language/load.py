"""Policy files in, one compiled set out, or every problem at once (law 3). Never half a policy."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from hashlib import sha256
from typing import TypeVar

from policies.engine.errors import HostInvalid
from policies.engine.host import HostPattern
from policies.engine.policy_set import PolicySet
from policies.engine.rule import Rule
from policies.language.codes import Code
from policies.language.compiler.conditions import Conditions
from policies.language.compiler.findings import Findings
from policies.language.compiler.identities import Identities
from policies.language.compiler.parts import Parts
from policies.language.compiler.routes import Routes
from policies.language.compiler.rules import Rules
from policies.language.compiler.trust import trust_store
from policies.language.document import (
    IdentityDocument,
    PolicyDocument,
    RouteDocument,
    RuleDocument,
    TrustDocument,
    ZoneDocument,
)
from policies.language.live_sources import NOTHING_LIVE, LiveSources
from policies.language.load_memory import NOTHING_LOADED, CompiledRules, LoadMemory
from policies.language.node import Scalar
from policies.language.problem import Position, Problem
from policies.language.surroundings import Surroundings
from policies.language.wording import listed, quoted
from policies.peer.bundle_source import BundleSource
from policies.peer.crl_source import CrlSource
from policies.peer.trust import TrustStore

_VERSION = "1"
#: Hex digits of the name of a generation: 64 bits of the content's SHA-256, for people and records. Somebody who writes
#: two policies can give both one name, so whether anything has changed is told by the whole digest.
_GENERATION_DIGITS = 16

Defined = TypeVar("Defined", TrustDocument, ZoneDocument, IdentityDocument, RouteDocument, RuleDocument)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Either a policy and no problems, or problems (sorted) and no policy. `memory`: for the next load."""

    policy: PolicySet | None
    problems: tuple[Problem, ...]
    memory: LoadMemory = NOTHING_LOADED


def load_policy(
    files: Mapping[str, bytes],
    surroundings: Surroundings,
    previous: PolicySet | None = None,
    live: LiveSources = NOTHING_LIVE,
    memory: LoadMemory = NOTHING_LOADED,
) -> Loaded:
    """Compile policy files (name as problems call it -> content).

    `surroundings` gives the files and time zones that they name. `previous` is the last good set: a CRL older than the
    one it has is a problem. `live` is what is known beside the files; answers of OCSP responders belong to no
    generation. `memory` is of the load before: what has not changed since is neither read nor compiled again.
    """
    witnessed = _Witness(surroundings)
    read = {name: memory.file(name, files[name]) for name in sorted(files)}
    problems = [problem for file in read.values() for problem in file.problems]
    documents = [file.document for file in read.values() if file.document is not None]
    findings = Findings(complete=len(documents) == len(read), whole=not problems)
    compilation = _Compilation(documents, witnessed, Parts(memory.parts), findings)
    trust = compilation.trust(previous, live)
    digests = {name: file.sha256 for name, file in read.items()}
    known = memory.known_rules(digests, compilation.domains, surroundings)
    if known is None:
        compilation.compile()
    problems.extend(findings.problems)
    if problems:
        return Loaded(None, tuple(sorted(set(problems))), LoadMemory(read, memory.rules))
    content = _content_sha256(files, witnessed)
    generation = content.hex()[:_GENERATION_DIGITS]
    if known is None:
        policy = compilation.policy(trust, generation, content)
        found = compilation.parts.found
        rules = CompiledRules(digests, compilation.domains, witnessed.timezones, policy, found)
    else:
        rules = replace(known, policy=known.policy.renewed(trust, generation, content))
    return Loaded(rules.policy, (), LoadMemory(read, rules))


class _Compilation:
    """All files of one set together. Its trust first: what a SPIFFE ID means depends on it."""

    def __init__(
        self, documents: list[PolicyDocument], surroundings: Surroundings, parts: Parts, findings: Findings
    ) -> None:
        self.parts = parts
        self._documents = documents
        self._surroundings = surroundings
        self._findings = findings
        self._entries = self._defined("trust entry", (entry for file in documents for entry in file.trust))
        #: SPIFFE trust domain -> entry; after `trust`.
        self.domains: dict[str, str] = {}
        self._strict_sni = False
        self._compiled: list[Rule] = []

    def trust(self, previous: PolicySet | None, live: LiveSources) -> TrustStore:
        """The trust entries, whose files are read each time."""
        before = previous.trust if previous is not None else None
        store, self.domains = trust_store(self._entries.values(), self._surroundings, self._findings, before, live)
        return store

    def compile(self) -> None:
        """Compile everything else, noting problems. It depends on the documents and on time zones, and nothing else."""
        documents = self._documents
        zones = self._defined("zone", (zone for file in documents for zone in file.zones))
        identities = self._defined("identity", (item for file in documents for item in file.identities))
        routes = self._defined("route", (route for file in documents for route in file.routes))
        self._routes = Routes(routes, self.parts, self._findings)
        self._rules = Rules(
            Identities(identities, self._entries, self.domains, self.parts, self._findings),
            self._routes,
            Conditions(zones, self._surroundings, self._findings),
            routes,
            self.parts,
            self._findings,
        )
        self._check_versions()
        self._strict_sni = self._read_strict_sni()
        for name in identities:
            self._rules.named_identity(name)
        for name in routes:
            self._routes.check(name)
        self._defined("rule", (rule for file in documents for rule in file.rules))
        self._compile_rules()

    def policy(self, trust: TrustStore, generation: str, content_sha256: bytes) -> PolicySet:
        """The set; only after `compile`, and if no problem was noted."""
        return PolicySet(
            identities=self._rules.identities,
            routes=self._routes.compiled,
            rules=self._compiled,
            trust=trust,
            strict_sni=self._strict_sni,
            generation=generation,
            content_sha256=content_sha256,
        )

    def _compile_rules(self) -> None:
        for file in self._documents:
            scope = self._scope(file)
            shadow = self._is_shadow(file)
            self._compiled.extend(self._rules.compiled(rule, scope, shadow=shadow) for rule in file.rules)
        if not self._compiled and self._documents:
            at = Position(self._documents[0].file, 0, 0)
            message = "the policy has no rule, so it would deny every request"
            self._findings.missing(at, Code.NO_RULE, message, "add `rules:`")

    def _defined(self, what: str, documents: Iterable[Defined]) -> dict[str, Defined]:
        found: dict[str, Defined] = {}
        for document in documents:
            name = _name_of(document)
            first = found.setdefault(name.text, document)
            if first is not document:
                at = _name_of(first).at
                message = f"the {what} {quoted(name.text)} is already defined at {at.file}:{at.line}"
                self._findings.add(name, Code.NAME_TAKEN, message, "give one of them another name")
        return found

    def _check_versions(self) -> None:
        for file in self._documents:
            if file.version is not None and file.version.text != _VERSION:
                message = f"this peergate reads policy version {_VERSION}, not {quoted(file.version.text)}"
                self._findings.add(file.version, Code.VERSION_UNKNOWN, message, f"write `version: {_VERSION}`")

    def _read_strict_sni(self) -> bool:
        settings = [file.strict_sni for file in self._documents if file.strict_sni is not None]
        for setting in settings:
            if setting.text not in {"true", "false"}:
                message = f"{quoted(setting.text)} is neither `true` nor `false`"
                self._findings.add(setting, Code.VALUE_INVALID, message, "write one of them")
        for repeated in settings[1:]:
            message = f"`strict_sni` is already set in {settings[0].at.file}"
            self._findings.add(repeated, Code.SETTING_REPEATED, message, "keep it in one file")
        return bool(settings) and settings[0].text == "true"

    def _is_shadow(self, file: PolicyDocument) -> bool:
        """Whether rules of `file` are in shadow mode by default. What holds beyond its rules cannot be tried so."""
        if file.mode is None or not self._rules.is_shadow(file.mode):
            return False
        if not any(other.rules for other in self._documents if other is not file):
            return True
        for entry in file.trust:
            message = "`mode: shadow` is about rules: this trust entry would count for the rules of other files at once"
            hint = "define it in a file without `mode: shadow`"
            self._findings.add(entry.name, Code.KEYS_CONFLICT, message, hint)
        if file.strict_sni is not None:
            message = "`mode: shadow` is about rules: `strict_sni` would hold for every request at once"
            hint = "set it in a file without `mode: shadow`"
            self._findings.add(file.strict_sni, Code.KEYS_CONFLICT, message, hint)
        return True

    def _scope(self, file: PolicyDocument) -> tuple[HostPattern, ...] | None:
        if file.scope is None:
            return None
        found: list[HostPattern] = []
        for host in file.scope.hosts:
            try:
                pattern = HostPattern.parse(host.text)
            except HostInvalid as error:
                self._findings.add(host, Code.PATTERN_INVALID, str(error))
                continue
            if pattern.capture is not None:
                message = f"{quoted(host.text)}: a scope binds nothing"
                self._findings.add(host, Code.BINDING_MISPLACED, message, "write `*` for the label")
            found.append(pattern)
        self._check_scoped(file, tuple(found))
        return tuple(found)

    def _check_scoped(self, file: PolicyDocument, scope: tuple[HostPattern, ...]) -> None:
        """Report what a file with a scope says that would hold outside of it. Its rules are looked at one by one."""
        for entry in file.trust:
            message = "a file with a scope cannot say who may vouch for callers: `authenticated` counts them everywhere"
            hint = "let a file without a scope define the trust entry"
            self._findings.add(entry.name, Code.SCOPE_EXCEEDED, message, hint)
        if file.strict_sni is not None:
            message = "a file with a scope cannot set `strict_sni`, which holds for every request"
            self._findings.add(file.strict_sni, Code.SCOPE_EXCEEDED, message, "set it in a file without a scope")
        for route in file.routes:
            if not self._routes.lies_within(route, scope):
                message = (
                    f"this route reaches hosts outside the scope of its file, which is {listed(map(str, scope), 'and')}"
                )
                hint = "a rule of another file might use it; name hosts within the scope"
                self._findings.add(_name_of(route), Code.SCOPE_EXCEEDED, message, hint)
        for name, _ in (header for rule in file.rules for header in rule.set_headers):
            if not name.text.lower().startswith("x-"):
                message = f"a file with a scope cannot set {quoted(name.text)}, which would be taken from every request"
                self._findings.add(name, Code.SCOPE_EXCEEDED, message, "set a header of your own that begins with x-")


class _Witness:
    """Surroundings that remember what was read, so that a generation is named after all of it."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self.seen: dict[str, bytes] = {}
        self.timezones: dict[str, tzinfo] = {}
        self.crls: dict[str, bytes] = {}
        self.bundles: dict[str, bytes] = {}

    def read(self, path: str) -> bytes:
        """As Surroundings.read."""
        content = self._surroundings.read(path)
        self.seen[path] = content
        return content

    def folder(self, path: str) -> tuple[str, ...] | None:
        """As Surroundings.folder; what is in it is read next."""
        return self._surroundings.folder(path)

    def fetched(self, source: CrlSource) -> bytes | None:
        """As Surroundings.fetched."""
        content = self._surroundings.fetched(source)
        if content is not None:
            issuers = sha256(b"".join(ca.sha256 for ca in source.authorities)).hexdigest()
            self.crls[f"{source.url.text} {issuers}"] = content
        return content

    def bundle(self, source: BundleSource) -> bytes | None:
        """As Surroundings.bundle."""
        content = self._surroundings.bundle(source)
        if content is not None:
            self.bundles[f"{source.api} {source.trust_domain}"] = content
        return content

    def timezone(self, name: str) -> tzinfo:
        """As Surroundings.timezone."""
        zone = self.timezones[name] = self._surroundings.timezone(name)
        return zone


def _content_sha256(files: Mapping[str, bytes], witness: _Witness) -> bytes:
    """The digest of the content: policy files by their last name, so that the same policy elsewhere is the same."""
    digest = sha256()
    witnessed = (("file", witness.seen), ("url", witness.crls), ("workload_api", witness.bundles))
    for kind, contents in (("policy", files), *witnessed):
        for name in sorted(contents):
            last = name.rpartition("/")[2] if kind == "policy" else name
            digest.update(f"{kind} {len(last)} {last} {len(contents[name])} ".encode("utf-8", "surrogateescape"))
            digest.update(contents[name])
    return digest.digest()


def _name_of(document: TrustDocument | ZoneDocument | IdentityDocument | RouteDocument | RuleDocument) -> Scalar:
    if isinstance(document, RuleDocument):
        return document.id
    if document.name is None:  # only inline routes have no name, and they are not at the top of a file
        return Scalar("", document.at.file, document.at.line, document.at.column)
    return document.name
