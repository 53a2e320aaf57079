"""`affetto doctor`: what is installed and what it can do."""

import dataclasses
import json

from affetto.apps.commands.options import Json


def doctor(as_json: Json = False) -> None:
    """Say what is installed, what it can do, and what to run where something is missing."""
    from affetto.apps.doctor import examine, table

    findings = examine()
    print(
        json.dumps([dataclasses.asdict(row) for row in findings], indent=2)
        if as_json
        else table(findings)
    )
