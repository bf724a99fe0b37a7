"""What can be wrong with a policy: one closed list of stable words, for tools, suppressions and docs.

A code is never renamed and never means something else later. Codes of one stage stand together: the text, its shape,
and then what the compiler finds in the meaning.
"""

from enum import StrEnum


class Code(StrEnum):
    """A stable word for one kind of problem; `meaning` says in one line what it stands for."""

    meaning: str

    def __new__(cls, word: str, meaning: str) -> "Code":
        """Pair the word with its meaning; the member is the word."""
        code = str.__new__(cls, word)
        code._value_ = word
        code.meaning = meaning
        return code

    # The text of a file (law 3).
    FILE_TOO_LARGE = "file_too_large", "The file has more bytes than a policy file may have."
    FILE_EMPTY = "file_empty", "The file has no content, or only comments."
    NOT_UTF8 = "not_utf8", "The file is not UTF-8 text."
    NUL_BYTE = "nul_byte", "The file has a NUL character, as binary and UTF-16 files do."
    BYTE_ORDER_MARK = "byte_order_mark", "The file starts with a byte order mark."
    CHARACTER_FORBIDDEN = "character_forbidden", "A control character, or one that hides or reorders text for readers."
    LINE_BREAK_FORBIDDEN = "line_break_forbidden", "A line break that editors and reviews may not show as one."
    YAML_SYNTAX = "yaml_syntax", "The text is not YAML."
    DIRECTIVE = "directive", "A YAML directive (a line that starts with %)."
    SECOND_DOCUMENT = "second_document", "The file has more than one YAML document."
    ALIAS = "alias", "A YAML alias (*name), or an unquoted value that starts with *."
    ANCHOR = "anchor", "A YAML anchor (&name), or an unquoted value that starts with &."
    TAG = "tag", "A YAML tag (!name), or an unquoted value that starts with !."
    KEY_DUPLICATE = "key_duplicate", "A key stands twice in one mapping."
    KEY_NOT_TEXT = "key_not_text", "A key is a list or a mapping."
    TOO_DEEP = "too_deep", "Lists and mappings are nested deeper than a policy ever needs."
    TOO_MANY_VALUES = "too_many_values", "The file has more values than a policy file may have."
    TOO_MANY_PROBLEMS = "too_many_problems", "More problems than are worth listing; the rest is not shown."

    # The shape of a document: which keys, and what kind of value each takes.
    WRONG_TYPE = "wrong_type", "A list, a mapping or text stands where another of them belongs."
    KEY_UNKNOWN = "key_unknown", "A key that this mapping does not have."
    KEY_MISSING = "key_missing", "A key that this mapping must have is not there."
    KEYS_CONFLICT = "keys_conflict", "Two keys that exclude each other stand in one mapping."
    VALUE_EMPTY = "value_empty", "An empty text, list or mapping."
    NAME_INVALID = "name_invalid", "A name or id with other characters than names may have, or too long."
    NAME_RESERVED = "name_reserved", "A name or id that already means something in the language."

    # The set: what files say together.
    VERSION_UNKNOWN = "version_unknown", "A policy version other than 1, or files that disagree on it."
    NAME_TAKEN = "name_taken", "A name or id that is already defined, in this file or another."
    SETTING_REPEATED = "setting_repeated", "A top-level setting in more than one file."
    NO_RULE = "no_rule", "A policy without any rule would deny everything."
    NO_POLICY_FILE = "no_policy_file", "A folder without any policy file."
    FILE_UNEXPECTED = "file_unexpected", "A file that looks as if it belonged to the policy, but is not read."
    TOO_MANY_FILES = "too_many_files", "A folder with more files than a policy has."
    INTERNAL_ERROR = "internal_error", "A bug of peergate: the policy could not be compiled."
    BUNDLE_MISSING = "bundle_missing", "The SPIFFE Workload API has not told the bundle of a trust domain yet."
    BUNDLE_OLDER = (
        "bundle_older",
        "A SPIFFE bundle whose sequence number does not show that it is as new as the one loaded before.",
    )
    FILE_UNREADABLE = "file_unreadable", "A file that the policy names cannot be read."
    VALUE_INVALID = "value_invalid", "A value that is not one of the words, numbers or dates that belong there."

    # Trust.
    CERTIFICATE_INVALID = "certificate_invalid", "A trust file that is not PEM certificates, or not CA certificates."
    CRL_INVALID = "crl_invalid", "A CRL that cannot be read, is wrongly signed, or is of a kind that is refused."
    CRL_OLDER = "crl_older", "A CRL older than the one that was loaded before."
    CRL_MISSING = "crl_missing", "A CRL that was loaded before and is no longer there."
    REVOCATION_WITHOUT_SOURCE = "revocation_without_source", "`revocation` asks for a status that nothing can tell."
    TRUST_DOMAIN_TAKEN = "trust_domain_taken", "Two trust entries for one SPIFFE trust domain."

    # Identities.
    NAME_UNKNOWN = "name_unknown", "A name that nothing defines."
    CYCLE = "cycle", "Identities that are defined by each other."
    REFERENCES_TOO_DEEP = "references_too_deep", "Identities that refer to identities more often than is readable."
    PATTERN_INVALID = "pattern_invalid", "A host, path, URI, DNS name, email or method pattern that could never match."
    TRUST_UNNAMED = "trust_unnamed", "A field that any CA may fill in, tested without saying whose word counts."
    TRUST_DOMAIN_UNKNOWN = "trust_domain_unknown", "A spiffe:// pattern of a trust domain that no trust entry has."
    BUILTIN_MISPLACED = "builtin_misplaced", "`anyone` outside `deny`, or `unauthenticated` allowed to go anywhere."

    # Routes, conditions and rules.
    HEADER_INVALID = "header_invalid", "A header that no rule may read or set, or a value that it cannot have."
    ROUTE_TOO_LARGE = "route_too_large", "A route with more combinations of hosts and paths than can be reviewed."
    NETWORK_INVALID = "network_invalid", "Not a network or an address."
    WINDOW_EMPTY = "window_empty", "A time window that contains no moment."
    BINDING_PARTIAL = "binding_partial", "A bound name that only some alternatives of one side bind."
    BINDING_UNMATCHED = "binding_unmatched", "Identity and route each bind a name that the other lacks."
    BINDING_MISPLACED = "binding_misplaced", "A bound name where nothing can be bound."
    TEMPLATE_INVALID = "template_invalid", "A header template that cannot be filled in."
    SCOPE_EXCEEDED = "scope_exceeded", "A rule that reaches hosts outside the scope of its file."
