#!/bin/bash
# Fails when a source file is not as clang-format leaves it, and says how to mend it.
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t files < <(git ls-files 'controller/*.[hc]pp' 'reconcilers/*.[hc]pp' 'tests/*.[hc]pp' 'crd-schemas/*.hpp')
wrong=$(clang-format-19 --dry-run --Werror "${files[@]}" 2>&1 | grep -E 'error:' || true)
if [ -n "$wrong" ]; then
    head -20 <<<"$wrong"
    echo "run: clang-format-19 -i on the files above"
    exit 1
fi
echo "format holds: ${#files[@]} files"
