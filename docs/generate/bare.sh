#!/usr/bin/env bash
# Installs a wheel into a bare environment, runs the demo there, and prints how long both took and what is on the disk.
#
#   docs/generate/bare.sh WHEEL FOLDER
set -euo pipefail

wheel=$1 folder=$2
python=${PYTHON:-python3}
rm -rf "$folder"
"$python" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet "$wheel"
installed=$SECONDS
"$folder/bin/pdfbatch" demo "$folder/demo"
test -s "$folder/demo/markdown/two-column-paper.md"
printf '\n%s: installed in %d s, demo in %d s, %s MB on disk\n' \
  "${wheel##*/}" "$installed" "$((SECONDS - installed))" "$(du -sm "$folder" | cut -f 1)"
du -sm "$folder"/lib/python*/site-packages/* | sort -rn | head -12
find "$folder" -name '*.pyc' -print0 | du -cm --files0-from=- | tail -n 1 | sed 's/total/compiled Python/'
