"""What cfn-lint says of a template: in this process, because starting another takes longer than the check."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cfnlint.api import lint


def findings(template: Mapping[str, Any], region: str) -> list[str]:
    return [str(match) for match in lint(json.dumps(template, indent=2), regions=[region])]
