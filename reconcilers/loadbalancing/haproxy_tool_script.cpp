#include "loadbalancing/haproxy_scripts.hpp"

namespace ocim::loadbalancing {

const char* const tool_script = R"sh(
set -u
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin"
umask 077
tool=$1 directory=$2 fragment=$3 mode=$4
for program in "$tool" tar awk cksum find flock sort xargs mktemp tr; do
  command -v "$program" >/dev/null || { echo "$program" >&2; exit 67; }
done
[ -d "$directory/conf.d" ] && [ -d "$directory/backends" ] || exit 66
config=$directory/conf.d/$fragment map=$directory/backends/$fragment
# all that the host puts together, ours and others'
all() { find "$directory/conf.d" "$directory/backends" -maxdepth 1 ! -name '.*' ! -name '*~' ! -type d -print0 | sort -z; }
# others' files that can be read (r), or that are there and cannot (u)
others() {
  find "$directory/$2" -maxdepth 1 ! -name '.*' ! -name '*~' ! -name "$fragment" ! -type d -print0 | sort -z |
    xargs -0r sh -c 'wanted=$1; shift; for file do
      if [ -r "$file" ]; then is=r; elif [ -e "$file" ]; then is=u; else continue; fi
      [ $is != "$wanted" ] || printf "%s\\0" "$file"; done' sh "$1"
}
# "cannot be read" is not "is not there"
for folder in conf.d backends; do
  [ -r "$directory/$folder" ] && [ -x "$directory/$folder" ] || { echo "$directory/$folder: Permission denied" >&2; exit 1; }
done
for file in "$config" "$map"; do
  [ ! -e "$file" ] || [ -r "$file" ] || { echo "$file: Permission denied" >&2; exit 1; }
done
[ "$mode" = probe ] && exit 0
# one writer follows another; the tool itself locks the folders in it
if [ "$mode" != read ]; then
  exec 9<"$directory" && flock -w 20 9 || { echo "another process is at work there" >&2; exit 75; }
fi

work=$(mktemp -d) || exit 1
trap 'rm -rf -- "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$work/now/conf.d" && cd -- "$work" || exit 1
# the same moment of all: their sum is taken before and after
sum() { all | xargs -0r cksum 2>/dev/null | cksum | tr -cd 0-9; }
version=v$(sum)
[ ! -e "$config" ] || cat -- "$config" >now.cfg || exit 1
[ ! -e "$map" ] || cat -- "$map" >now/domains.map || exit 1
# what others have there: names that we cannot use, and domains that are theirs
whose='{ file = FILENAME; sub(/.*\//, "", file); gsub(/[^A-Za-z0-9_.-]/, "?", file) }'
others r conf.d | xargs -0r awk "$whose"' $1 == "backend" || $1 == "listen" {
  gsub(/["\047\\]/, "", $2); print "@backend", $2, file }' >others || exit 1
others r backends | xargs -0r awk "$whose"' NF > 1 && $1 !~ /^#/ { print "@domain", tolower($1), $2, file }' >>others || exit 1
# of one that cannot be read nobody knows which names and domains are in it
for folder in conf.d backends; do
  others u "$folder" | tr '\0\n' '\n?' | awk -v folder="$folder" 'NR == 1 {
    sub(/.*\//, ""); gsub(/[^A-Za-z0-9_.-]/, "?"); print "@unreadable", folder "/" $0 }' >>others || exit 1
done
[ "v$(sum)" = "$version" ] || { echo "it is being changed" >&2; exit 75; }
: >>now.cfg && : >>now/domains.map || exit 1
# one file a backend, with the remark that precedes it; what is no backend's comes first, and is carried along
awk '
  function put(line) { print line >>file; close(file) }
  BEGIN { file = "now/conf.d/.first" }
  /^# ocim / { held = $0; next }
  /^backend [A-Za-z0-9_.:-]+[ \t]*$/ { file = "now/conf.d/" $2 ".cfg"; if (held != "") put(held); held = "" }
  /^[a-z]/ && !/^backend / { file = "now/conf.d/.first" }
  { if (held != "") put(held); held = ""; put($0) }
  END { if (held != "") put(held) }' now.cfg || exit 1

if [ "$mode" = read ]; then
  mv now "$version" && echo "$version" >loaded && cat others && echo . && tar -cf - -- "$version/conf.d" "$version/domains.map" loaded
  exit
fi

[ "$version" = "$5" ] || { echo "version $version is in force" >&2; exit 75; }
tar -xf - -C now || exit 1
while IFS= read -r name; do
  rm -f -- "now/$name" || exit 1
done <now/.delete
rm -rf -- now/.delete now/.runtime now/.expected now/certs now/certs.list || exit 1
if command -v haproxy >/dev/null; then
  printf '%s\n' 'defaults' '  mode http' '  timeout connect 5s' '  timeout client 50s' '  timeout server 2m' \
    'frontend ocim-check' '  bind 127.0.0.1:1' '  http-request return status 404' >check.cfg || exit 1
  haproxy -c -f check.cfg -f "$work/now/conf.d" >/dev/null 2>refusal || { cat refusal >&2; exit 65; }
fi
[ "$mode" = check ] && exit 0

(cd now/conf.d && find . -maxdepth 1 \( -name .first -o -name '[!.]*.cfg' \) ! -type d -print0 | sort -z |
  xargs -0r awk 1) >next.cfg || exit 1
if [ -s next.cfg ] || [ -s now/domains.map ]; then
  "$tool" apply "$fragment" "$work/next.cfg" "$work/now/domains.map" >said 2>&1 </dev/null 9<&-
elif [ -e "$config" ] || [ -e "$map" ]; then
  "$tool" remove "$fragment" >said 2>&1 </dev/null 9<&-
fi
ended=$?
[ $ended -eq 0 ] || { echo "$tool ended with $ended: $(tail -c 400 said)" >&2; exit 70; }
# the tool writes domains in lower case, whoever's they are
both() { { cat -- "$1"; tr A-Z a-z <"$2"; } 2>/dev/null | cksum; }
[ "$(both "$config" "$map")" = "$(both next.cfg now/domains.map)" ] || { echo "$tool says that it is done, and its files say something else" >&2; exit 70; }
)sh";

}  // namespace ocim::loadbalancing
