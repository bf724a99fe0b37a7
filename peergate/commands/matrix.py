"""`peergate policy matrix`: who may call what."""

import sys
from pathlib import Path

from peergate.console import error_line, stdout
from peergate.exit_code import ExitCode
from peergate.formats import MatrixFormat
from peergate.loading import loaded_policy, print_unusable
from peergate.reports.matrix import csv_from_matrix, json_from_matrix, print_matrix
from peergate.reports.matrix_page import page_from_matrix
from policies.authoring.lint.places import places_from_files
from policies.authoring.matrix.matrix import MatrixTooLargeError, matrix_from_policy


def matrix(path: str, form: MatrixFormat) -> ExitCode:
    """Print the matrix of the policy at `path`."""
    loaded = loaded_policy(path)
    if loaded.policy is None:
        print_unusable(loaded)
        return ExitCode.NO
    try:
        found = matrix_from_policy(loaded.policy, places_from_files(loaded.reading.files))
    except MatrixTooLargeError as error:
        error_line(f"{path}: {error}")
        return ExitCode.NO
    if form is MatrixFormat.TEXT:
        print_matrix(stdout(), found)
    elif form is MatrixFormat.CSV:
        sys.stdout.write(csv_from_matrix(found))
    elif form is MatrixFormat.JSON:
        print(json_from_matrix(found))
    else:
        print(page_from_matrix(found, Path(path).resolve().name))
    return ExitCode.FINE
