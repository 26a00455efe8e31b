#!/usr/bin/env bash
# Makes the table of docs/photo-report.md anew: photographs out of Debian packages, spoiled by seed, judged by the product's own code.
# The packages are downloaded and unpacked in a temporary directory, not installed. Usage: eng/imaging/report_table.sh [--keep DIR]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
keep=
if [ "${1:-}" = --keep ]; then keep=${2:?--keep needs a directory}; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

mkdir "$work/packages" "$work/photographs"
(
  cd "$work/packages"
  apt-get -q -o APT::Sandbox::User="$(id -un)" download lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 mate-backgrounds python3-skimage >/dev/null
  for package in *.deb; do dpkg -x "$package" "$work/tree"; done
)

# Photographs only: these packages hold drawings and patterns as well.
wallpapers=$work/tree/usr/share/backgrounds
for name in Bridge_by_Sander_Klootwijk Dragonfly_by_Bolly Picture_0B_by_freespace Picture_1A_by_freespace Wine_by_Jakkub_Mede aitzgorri_by_Aitzol_Berasategi \
  free_by_Peter_Nerlich friends_by_Aitzol_Berasategi greentock_by_Peter_Nerlich life_by_Aitzol_Berasategi picosdeeuropa_by_Aitzol_Berasategi \
  seeding_by_Clements_Engelhardt sunset_by_Aitzol_Berasategi Kleiber_by_Lukas_Baubkus mate/nature/{Aqua,Blinds,Dune,FreshFlower,Garden,GreenMeadow,LadyBird,RainDrops,Storm,TwoWings,Wood,YellowFlower}; do
  cp "$wallpapers/$name.jpg" "$work/photographs/"
done
for name in astronaut.png camera.png chelsea.png coffee.png rocket.jpg motorcycle_left.png; do
  cp "$work/tree/usr/lib/python3/dist-packages/skimage/data/$name" "$work/photographs/"
done
[ -z "$keep" ] || { mkdir -p "$keep" && cp "$work"/photographs/* "$keep/"; }

FLURRTY_PHOTOGRAPHS=$work/photographs FLURRTY_REPORT_TABLE=$work/table.md \
  dotnet test "$root/tests/UploadService.Tests" -v quiet -nologo --filter FullyQualifiedName~ReportTableTests.Photographs || failed=1
[ -s "$work/table.md" ] || { echo "report_table: no table was made" >&2; exit 1; }

# Between the two marks of the page.
page=$root/docs/photo-report.md
awk -v table="$work/table.md" '
  /<!-- table -->/ { print; while ((getline line < table) > 0) print line; inside = 1; next }
  /<!-- end of table -->/ { inside = 0 }
  !inside { print }' "$page" >"$work/page.md"
cp "$work/page.md" "$page"
echo "report_table: docs/photo-report.md is up to date"
exit "${failed:-0}"
