#!/usr/bin/env bash
# Writes what the program and its pages are made of, as CycloneDX: the Go
# modules that are in a binary built now, and the npm packages of the pages.
set -euo pipefail

bin="$1" out="$2"
here="$(cd "$(dirname "$0")/.." && pwd)"
version="$(git -C "$here" describe --tags --always --dirty)"
mkdir -p "$out"
out="$(cd "$out" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

(cd "$here" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags nomsgpack -ldflags='-s -w' -o "$work/wardseal" ./cmd/wardseal)
"$bin/cyclonedx-gomod" bin -json -std -version "$version" -output "$out/wardseal-go.cdx.json" "$work/wardseal"

# npm wants a version of the package itself, which is never published.
cp "$here/api/ui/package.json" "$here/api/ui/package-lock.json" "$work/"
(cd "$work" && npm pkg set version=0.0.0 && npm sbom --package-lock-only --sbom-format cyclonedx --sbom-type application) >"$out/wardseal-pages.cdx.json"

for f in "$out"/wardseal-{go,pages}.cdx.json; do
  node -e 'const d = JSON.parse(require("fs").readFileSync(process.argv[1])); if (d.bomFormat !== "CycloneDX" || !d.components.length) process.exit(1); console.log(process.argv[1] + ": " + d.components.length + " components")' "$f"
done
