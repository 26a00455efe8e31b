# To be sourced: exports which container engine and images to use (environment.sh says), after loading the official images, or after installing
# and building the stand-ins where no image registry answers. A start would wait for the images without a word.
if ! use_lines=$(./eng/images/environment.sh); then
  ./eng/images/install.sh || exit 1
  use_lines=$(./eng/images/environment.sh) || exit 1
fi
while IFS= read -r use_line; do export "${use_line?}"; done <<<"$use_lines"
if [[ $use_lines == *Images__postgres=* ]]; then
  echo "    no image registry answers: the images are made from Debian's packages"
  ./eng/images/build.sh || exit 1
else
  ./eng/images/pull.sh || exit 1
fi
unset use_lines use_line
