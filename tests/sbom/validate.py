"""Exit with 1 where stdin is no valid CycloneDX 1.6, by the strict schema."""

import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read())
if fault is not None:
    sys.exit(f"not valid: {fault}")
