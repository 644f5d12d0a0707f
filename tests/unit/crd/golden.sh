#!/bin/bash
# The header that generate.py makes of widgets.yaml is the one that is kept here. After a change on purpose:
#   python3 crd-schemas/generate.py header tests/unit/crd/widgets.yaml tests/unit/crd/widgets.hpp.expected
set -euo pipefail
cd "$(dirname "$0")/../../.."
made=$(mktemp)
trap 'rm -f "$made"' EXIT
/usr/bin/python3 crd-schemas/generate.py header tests/unit/crd/widgets.yaml "$made"
diff -u tests/unit/crd/widgets.hpp.expected "$made"

# What it does not understand it refuses, naming the place.
refused() {
    sed "$1" tests/unit/crd/widgets.yaml >"$made"
    if out=$(/usr/bin/python3 crd-schemas/generate.py header "$made" /dev/null 2>&1); then
        echo "accepted: $1"
        exit 1
    fi
    [[ $out == "$2" ]] || { echo "refused with: $out"; echo "instead of:   $2"; exit 1; }
}
refused 's/limitBytes: {type: integer, format: int64}/limitBytes: {type: number}/' \
    'spec.limitBytes: no C++ type for number/None'
refused 's/tags: {type: array/tags: {nullable: true, type: array/' \
    "spec.tags: ['nullable'] is outside the subset this generator understands"
refused 's/limitBytes:/tTLSeconds:/;s/ttlSeconds:/tTlSeconds:/' \
    'spec.tTlSeconds: has the same C++ name as another field: t_tl_seconds'
refused 's/limitBytes:/limit_bytes:/' "spec.limit_bytes: field name 'limit_bytes' is not lowerCamelCase"
refused 's/DarkBlue, "2D"/DarkBlue, Dark_Blue/' \
    "spec.color: two of ['Red', 'DarkBlue', 'Dark_Blue'] have the same C++ name"
