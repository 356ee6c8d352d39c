#!/usr/bin/env bash
# Installs what the tests need and this machine lacks, and says so: Debian
# packages, and Go programs of pinned versions into the cache. Does nothing
# when all is there. With the argument "peers" also what benchmarks compare with,
# with "attack" the scanners, with "boot" what starts a system.
set -euo pipefail

bin="${WARDSEAL_TEST_BIN:-${XDG_CACHE_HOME:-$HOME/.cache}/wardseal/bin}"
mkdir -p "$bin"

missing=()
need() { # need PROGRAM PACKAGE
  command -v "$1" >/dev/null 2>&1 || missing+=("$2")
}
need exiftool libimage-exiftool-perl
need ffmpeg ffmpeg
need identify imagemagick
need djpeg libjpeg-turbo-progs
need heif-enc libheif-examples
need avifenc libavif-bin
need tiffcp libtiff-tools
need cwebp webp
need mkvmerge mkvtoolnix
need chromium chromium
need pdftoppm poppler-utils
need python3 python3
need curl curl
need strace strace
need aiosmtpd python3-aiosmtpd
need node nodejs
need npm npm
need promtool prometheus
need systemd-analyze systemd
if [[ ${1:-} == peers ]]; then
  need mat2 mat2
  need exiv2 exiv2
  need vipsthumbnail libvips-tools
  need dcraw dcraw
  need rclone rclone
fi
if [[ ${1:-} == boot ]]; then
  need systemd-nspawn systemd-container
  need debootstrap debootstrap
fi
if [[ ${1:-} == attack ]]; then
  need testssl testssl.sh
  need wapiti wapiti
fi
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
if ((${#missing[@]})); then
  echo "test/install.sh: installing ${missing[*]}" >&2
  sudo=(); [[ $(id -u) -eq 0 ]] || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi

program() { # program NAME MODULE@VERSION
  [[ -x "$bin/$1" ]] && return
  echo "test/install.sh: building $2" >&2
  GOBIN="$bin" CGO_ENABLED=0 go install "$2"
}
renamed() { # renamed NAME MODULE@VERSION: a program that the module calls by another name
  [[ -x "$bin/$1" ]] && return
  echo "test/install.sh: building $2" >&2
  local at; at="$(mktemp -d)"
  GOBIN="$at" CGO_ENABLED=0 go install "$2"
  mv "$at"/* "$bin/$1" && rmdir "$at"
}
program staticcheck honnef.co/go/tools/cmd/staticcheck@v0.8.2
program gosec github.com/securego/gosec/v2/cmd/gosec@v2.22.10
program govulncheck golang.org/x/vuln/cmd/govulncheck@v1.1.4
program cyclonedx-gomod github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.9.0
program age filippo.io/age/cmd/age@v1.3.2
program age-plugin-batchpass filippo.io/age/cmd/age-plugin-batchpass@v1.3.2
program versitygw github.com/versity/versitygw/cmd/versitygw@v1.8.0
program minio github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
renamed toxiproxy github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0

packages() { # packages FOLDER: what its lock file pins, into the cache under the lock file's hash
  local at
  at="$(dirname "$bin")/npm/$(basename "$1")-$(sha256sum "$1/package-lock.json" | cut -c1-16)"
  [[ -d "$at/node_modules" ]] && return
  echo "test/install.sh: installing the npm packages of $1" >&2
  mkdir -p "$at.new"
  cp "$1/package.json" "$1/package-lock.json" "$at.new/"
  (cd "$at.new" && npm ci --ignore-scripts --no-audit --no-fund --silent)
  rm -rf "$at" && mv "$at.new" "$at"
}
here="$(cd "$(dirname "$0")" && pwd)"
packages "$here/browser"
packages "$here/servers/oidc"
packages "$here/../api/ui"
