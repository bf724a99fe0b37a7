"""`peergate policy schema`: the JSON Schema of the language, for editors."""

import json

from peergate.exit_code import ExitCode
from peergate.formats import Format
from policies.authoring.suite_table import SUITE
from policies.language.schema import policy_schema, schema_from_fields


def schema(form: Format, *, tests: bool) -> ExitCode:
    """Print the schema of policy files, or of `*.test.yaml` files: indented for people, on one line for programs."""
    found = schema_from_fields(SUITE, "peergate policy tests") if tests else policy_schema()
    print(json.dumps(found, indent=2 if form is Format.TEXT else None, ensure_ascii=False))
    return ExitCode.FINE
