#!/usr/bin/env bash
# Makes the pictures of the pages in docs/screens anew, from what the walks of
# test/browser see: test/screens.sh. With a folder, from the screenshots that
# are there already (WARDSEAL_SHOTS of a run).
set -euo pipefail
cd "$(dirname "$0")/.."

shots="${1:-}"
if [[ -z $shots ]]; then
  shots=$(mktemp -d)
  trap 'rm -rf "$shots"' EXIT
  WARDSEAL_SHOTS="$shots" go test -count=1 -timeout 40m -run 'TestPages$|TestCapture|TestRecords|TestDesk' ./test/browser
fi

# What is shown, and how many pixels of its height: the top of a page says what it is.
while read -r name height; do
  crop=()
  [[ $height == all ]] || crop=(-crop "x$height+0+0" +repage)
  convert "$shots/$name.png" "${crop[@]}" -strip +dither -colors 64 "png8:docs/screens/$name.png"
done <<'END'
capture-found-390 all
capture-ready-390 all
capture-asked-390 all
capture-inbox-390 1400
answered-1280 all
look-marked-1280 1100
compare-film-1280 all
compare-film-390 all
item-video-closer-390 1500
record-1280 1300
due-390 1500
handover-approved-1280 all
handovers-390 all
schedule-1280 1000
incident-1280 1500
reports-1280 1500
audit-1280 1100
staff-390 1300
ticket-390 all
settings-1280 1300
END
ls -l docs/screens
