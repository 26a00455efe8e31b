#!/usr/bin/env bash
# Prints the photos of a folder or a zip file, a path a line; a zip's are unpacked into the folder given second (default: only counted, printed by name).
# Says what is wrong and exits with 2 where there are fewer than 3 or more than 40. Usage: eng/photos.sh DIR|ZIP [UNPACK_INTO]
set -euo pipefail
from=${1:?usage: eng/photos.sh DIR|ZIP [UNPACK_INTO]} into=${2:-}
kinds='\.(jpe?g|png|webp|hei[cf]|avif)$'

refuse() {
  echo "$1" >&2
  exit 2
}

if [ -d "$from" ]; then
  mapfile -t photos < <(find -L "$from" -maxdepth 1 -type f ! -name '.*' | grep -iE "$kinds" | sort)
elif [ -f "$from" ] && [[ ${from,,} == *.zip ]]; then
  command -v python3 >/dev/null || refuse "python3 is needed to read a zip file; unpack it and name the folder."
  list=$(python3 - "$from" "$into" <<'PY'
import os, re, shutil, sys, zipfile
kinds = re.compile(r'\.(jpe?g|png|webp|hei[cf]|avif)$', re.I)
source, into = sys.argv[1:3]
try:
    with zipfile.ZipFile(source) as archive:
        for number, entry in enumerate(archive.infolist()):
            name = os.path.basename(entry.filename)
            if entry.is_dir() or name.startswith('.') or entry.filename.startswith('__MACOSX/') or not kinds.search(name):
                continue
            if into:
                # A number in front: photos of one name from two folders are two photos.
                target = os.path.join(into, f'{number:03}-{name}')
                with archive.open(entry) as photo, open(target, 'xb') as file:
                    shutil.copyfileobj(photo, file)
                print(target)
            else:
                print(entry.filename)
except (zipfile.BadZipFile, OSError, RuntimeError) as error:
    sys.exit(f'{source} cannot be read: {error}')
PY
  ) || exit 2
  mapfile -t photos < <(printf '%s' "$list")
else
  refuse "There is neither a folder nor a zip file at '$from'."
fi

[ ${#photos[@]} -gt 0 ] || refuse "There is no photo (jpg, png, webp, heic, avif) in $from."
[ ${#photos[@]} -ge 3 ] || refuse "There are ${#photos[@]} photos in $from; a training needs 3 at least."
[ ${#photos[@]} -le 40 ] || refuse "There are ${#photos[@]} photos in $from; a set takes 40 at most."
printf '%s\n' "${photos[@]}"
