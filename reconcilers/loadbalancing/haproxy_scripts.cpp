#include "loadbalancing/haproxy_scripts.hpp"

namespace ocim::loadbalancing {

const char* const read_script = R"sh(
export LC_ALL=C
cd -- "$1" || exit 66
version=$(readlink current) || { echo .; exit 0; }
case $version in ''|*/*) echo "current does not point at a version beside it" >&2; exit 1;; esac
# what HAProxy loads is made of the fragments; who changed either changed what is in force, or will be
whole=$(cd -- "$version/conf.d" && find . -maxdepth 1 -name '[!.]*.cfg' ! -type d -print0 | sort -z |
  xargs -0r awk 1 | cksum)
sum=$(cat -- "$version/.sum" 2>/dev/null)
[ "$whole" = "$sum" ] && [ "$(cksum <"$version/haproxy.cfg")" = "$sum" ] &&
  [ -z "$(find "$version/haproxy.cfg" -perm /007)" ] || echo @stale
# private keys stay here: of their files the sums are told. One that cannot be read is not away: nothing is known then.
[ ! -d "$version/certs" ] || (cd -- "$version/certs" &&
  { find . -maxdepth 1 -name '[!.]*.pem' -type f -exec sha256sum {} + || echo @failed; } |
  awk '$1 == "@failed" { exit 1 } { print "@certificate", substr($2, 3), $1 }' &&
  find . -maxdepth 1 -name '[!.]*.pem' -type f -perm /077 | sed 's,^[.]/,@exposed ,') || exit 1
echo .
set -- "$version/conf.d"
[ -f "$version/domains.map" ] && set -- "$@" "$version/domains.map"
[ -f "$version/certs.list" ] && set -- "$@" "$version/certs.list"
[ -f loaded ] && set -- "$@" loaded
exec tar -cf - -- "$@"
)sh";

const char* const observe_script = R"sh(
export LC_ALL=C
tell() {
  if command -v socat >/dev/null; then
    socat -t 5 - "UNIX-CONNECT:$1"
  else
    perl -MIO::Socket::UNIX -e 'alarm 5; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$!\n";
      print $s $_ while <STDIN>; $s->flush; shutdown $s, 1; print while <$s>' "$1"
  fi 2>/dev/null
}
# HAProxy ends an answer with an empty line. Of one that is cut off nothing is told: whose line is missing was not gone.
ask() {
  echo '@1 show stat -1 6 -1' | tell "$1" | awk -F, '{ whole = ($0 == "") }
    /^# pxname/ { told = 1; next }
    NF > 44 && $2 == "BACKEND" {
      line[++lines] = $1 ",BACKEND," $5 "," $9 "," $10 "," $40 "," $41 "," $42 "," $43 "," $44; next }
    NF > 38 { line[++lines] = $1 "," $2 "," $18 "," $19 "," $37 "," $38 }
    END { if (told && whole) { for (n = 1; n <= lines; n++) print line[n]; print "@told" } exit !told }'
}
ask "$2" || { sleep 0.5; ask "$2"; }  # the master is away for a moment while it reloads
if [ -s "$1/current/certs.list" ]; then
  lists=$(printf '%s\n' prompt @1 'show ssl crt-list' 'show info' | tell "$2")
  case $lists in *"$1/current/certs.list"*) ;; *'Name: HAProxy'*) echo @unlisted;; esac
fi
exec /bin/sh -c "$3" ocim "$1"
)sh";

const char* const probe_script = R"sh(
export LC_ALL=C
cd -- "$1" || exit 66
[ -w . ] || { echo "$1: Permission denied" >&2; exit 1; }
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
command -v socat >/dev/null && talker=socat || talker=perl
for tool in haproxy flock tar awk find sort xargs cksum sha256sum sed sync $talker; do
  command -v "$tool" >/dev/null || { echo "$tool" >&2; exit 67; }
done
ask() {
  if command -v socat >/dev/null; then
    echo 'show proc' | socat -t 2 - "UNIX-CONNECT:$1"
  else
    perl -MIO::Socket::UNIX -e 'alarm 2; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$!\n";
      print $s "show proc\n"; $s->flush; shutdown $s, 1; print while <$s>' "$1"
  fi | head -c 100000
}
case $(ask "$2") in *master*) exit 0;; esac
sleep 0.5  # the master is away for a moment while it reloads
case $(ask "$2") in *master*) exit 0;; esac
exit 69
)sh";

const char* const write_script = R"sh(
set -u
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
umask 027
mode=$1 directory=$2 expected=$3 socket=$4
shift 4
cd -- "$directory" || exit 66
command -v flock >/dev/null || { echo flock >&2; exit 67; }
exec 9>lock || exit 1
flock -w 20 9 || { echo "another process is at work there" >&2; exit 75; }

before=$(readlink current) || before=
[ "$before" = "$expected" ] || { echo "version $before is in force" >&2; exit 75; }

tell() {
  if command -v socat >/dev/null; then
    socat -t 5 - "UNIX-CONNECT:$socket"
  else
    perl -MIO::Socket::UNIX -e 'alarm 15; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$!\n";
      print $s $_ while <STDIN>; $s->flush; shutdown $s, 1; print while <$s>' "$socket"
  fi 2>/dev/null | head -c 50000000
}
ask() { echo "$1" | tell; }
# The worker is asked for what it was told, in one session. What is missing counts as gone only when the answers are
# whole: each begins with a prompt, and the last one, the list of maps, names ours and is followed by one more.
as_expected() {
  map=$PWD/current/domains.map list=$PWD/current/certs.list
  { cat "$said/.expected"; echo @told
    { printf '%s\n' prompt @1 'show servers state' "show map $map" "show ssl crt-list $list"
      awk '$1 == "certificate" { print "show ssl cert", $2 }' "$said/.expected"
      echo 'show map'; } | tell; } | awk -v map="$map" '
    $1 == "@told" && !told { told = 1; next }
    !told && $1 == "server" { server[$2] = $3 " " $4 " " $5 }
    !told && $1 == "gone" { gone[$2] }
    !told && $1 == "map" { lead[$2] = $3 }
    !told && $1 == "unmapped" { unmapped[$2] }
    !told && $1 == "certificate" { print_of[$2] = toupper($3) }
    !told && $1 == "listed" { entry[$2] = $0; sub(/^listed /, "", entry[$2]) }
    !told && $1 == "unlisted" { unlisted[$2] }
    !told { next }
    { sub(/^master> /, "") }
    /^[0-9]+[^ ]*> / { part++; sub(/^[0-9]+[^ ]*> /, "") }
    part == 1 && $2 == "be_id" { heard = 1; next }
    part == 1 && NF > 18 { id = $2 "/" $4
      if (id in server && $7 == 0 && server[id] == $5 " " $19 " " $8) delete server[id]
      if (id in gone && $7 % 2 == 0) wrong = 1 }
    part == 2 && NF == 3 { lines[$2]++; leads[$2] = $3 }
    part == 3 && $1 ~ /^\// { listed[$1]++; if ($1 in entry && entry[$1] == $0) delete entry[$1] }
    part > 3 && $1 == "Filename:" { file = $2 }
    part > 3 && $1 == "Status:" { used = ($2 == "Used") }
    part > 3 && $2 == "FingerPrint:" { if (used && (file in print_of) && print_of[file] == $3) delete print_of[file] }
    part > 3 && $2 == "(" map ")" { mapped = part }
    END {
      for (id in server) wrong = 1
      for (host in lead) if (lines[host] != 1 || leads[host] != lead[host]) wrong = 1
      for (host in unmapped) if (host in lines) wrong = 1
      for (file in print_of) wrong = 1
      for (file in entry) wrong = 1
      for (file in unlisted) if (file in listed) wrong = 1
      exit wrong || !heard || !mapped || part != mapped + 1
    }'
}
taken() {
  if [ -s "$said/keys" ] && [ -f "$before/certs.list" ]; then  # a private key that goes is not kept with the former version either
    awk 'NR == FNR { gone[$1]; next } !($1 in gone)' "$said/keys" "$before/certs.list" >"$said/certs.list" &&
      cat -- "$said/certs.list" >"$before/certs.list" || exit 1
    while IFS= read -r name; do rm -f -- "$before/${name#"$PWD/current/"}" || exit 1; done <"$said/keys"
  fi
  echo "$next" >loaded.new && mv -f loaded.new loaded || exit 1
  for old in v[0-9]*; do
    [ "$old" = "$next" ] || [ "$old" = "$before" ] || rm -rf -- "$old"
  done
}
worker() { echo "$1" | awk '/^#/ { inside = ($2 == "workers") } inside && /^[0-9]/ { print $1; exit }'; }
failures() { echo "$1" | sed -n 's/.*master.*\[failed: \([0-9]*\)\].*/\1/p'; }
point() { ln -sfn "$1" current.new && mv -fT current.new current; }

last=0
for old in v[0-9]*; do
  number=${old#v}
  case $number in ''|*[!0-9]*) continue;; esac
  [ "$number" -gt "$last" ] && last=$number
done
if [ -z "$before" ]; then
  # the files that HAProxy's own configuration names must exist for the check
  before=v$((last + 1)) last=$((last + 1))
  mkdir -p "$before/conf.d" && : >>"$before/domains.map" && : >>"$before/certs.list" && : >>"$before/haproxy.cfg" && point "$before" || exit 1
fi
next=v$((last + 1))
trap 'rm -rf -- "$next"' EXIT
mkdir "$next" && cp -a "$before/." "$next/" && mkdir -p "$next/conf.d" && tar -xf - -C "$next" || exit 1
while IFS= read -r name; do
  rm -f -- "$next/$name" || exit 1
done <"$next/.delete"
# what is for the worker that runs, and not part of the version
said=.said
trap 'rm -rf -- "$next" "$said"' EXIT
rm -rf -- "$said" && mkdir -m 700 "$said" || exit 1
for name in .runtime .expected; do
  [ ! -f "$next/$name" ] || mv -- "$next/$name" "$said/" || exit 1
done
awk -v current="$PWD/current/" '/^certs\// { print current $0 }' "$next/.delete" >"$said/keys" || exit 1
rm -f -- "$next/.delete" || exit 1
[ ! -d "$next/certs" ] || find "$next/certs" -name '*.pem' -type f -exec chmod 600 {} + || exit 1

# what the former version let others read, this one does not
rm -f -- "$next/haproxy.cfg" "$next/.sum" || exit 1
# one file, because the master names all files to its successor in a text that may not be long
(cd -- "$next/conf.d" && find . -maxdepth 1 -name '[!.]*.cfg' ! -type d -print0 | sort -z | xargs -0r awk 1) \
  >"$next/haproxy.cfg" && cksum <"$next/haproxy.cfg" >"$next/.sum" || exit 1
copy() {
  awk -v from="$PWD/current/certs.list" -v to="$PWD/$said/certs.list" '
    { out = ""; while ((at = index($0, from)) > 0) { hit = 1
        out = out substr($0, 1, at - 1) to; $0 = substr($0, at + length(from)) }
      print out $0 } END { exit !hit }' "$1" >"$2" && named=yes
  [ -s "$2" ] || [ ! -s "$1" ] || exit 1
}
if [ -s "$next/certs.list" ] || [ -s "$before/certs.list" ]; then
  # The configuration names the certificates in force, of which a file may be gone or broken. It is checked with those
  # of the next version instead.
  awk -v from="$PWD/current/" -v to="$PWD/$next/" 'index($0, from) == 1 { $0 = to substr($0, length(from) + 1) } 1' \
    "$next/certs.list" >"$said/certs.list" || exit 1
  number=0 named=
  for file do
    number=$((number + 1)) && mkdir "$said/$number" || exit 1
    if [ -d "$file" ]; then
      for part in "$file"/*.cfg; do [ ! -f "$part" ] || copy "$part" "$said/$number/${part##*/}"; done
      set -- "$@" "$PWD/$said/$number"
    else
      copy "$file" "$said/$number/${file##*/}"
      set -- "$@" "$PWD/$said/$number/${file##*/}"
    fi
    shift
  done
  if [ -z "$named" ]; then
    printf '%s\n' 'frontend ocim-check-of-certificates' '  mode http' '  timeout client 1s' \
      "  bind 127.0.0.1:1 ssl crt-list $PWD/$said/certs.list" '  http-request return status 404' >"$said/check.cfg" ||
      exit 1
    [ ! -s "$said/certs.list" ] || set -- "$@" "$PWD/$said/check.cfg"
  fi
fi
for file do
  set -- "$@" -f "$file"
  shift
done
if ! haproxy -c "$@" -f "$PWD/$next/haproxy.cfg" >/dev/null 2>"$said/refusal"; then
  # by itself each file is named
  haproxy -c "$@" -f "$PWD/$next/conf.d" >/dev/null && cat -- "$said/refusal" >&2
  exit 65
fi
[ "$mode" = check ] && exit 0

was=$(ask 'show proc')
old_worker=$(worker "$was") old_failures=$(failures "$was")
[ -n "$old_worker" ] || { echo "the master socket $socket does not answer" >&2; exit 69; }
# on the disk before it is in force: after a loss of power the former version would be found, or this one, as a whole
find "$next" -print0 | xargs -0 -n 100 -P 8 sync -- || exit 1
point "$next" || exit 1
trap 'rm -rf -- "$said"' EXIT
sync -- . || { point "$before" && rm -rf -- "$next"; exit 1; }
if [ -f "$said/.runtime" ]; then
  # from here on another process may serve than the files say, until one of them is seen to be in force
  rm -f loaded || exit 1
  { echo prompt; echo @1
    awk -v folder="$next/" '/^</ { file = folder substr($0, 2); while ((getline line <file) > 0) print line; close(file)
      next } 1' "$said/.runtime"; } | tell >/dev/null
  if as_expected; then taken; exit 0; fi
fi
ask reload >/dev/null
# to read a fragment takes HAProxy so long at most on a machine that has much else to do
tries=0 patience=$((150 + $(ls -- "$next/conf.d" | wc -l) / 10))
while [ $tries -lt $patience ]; do
  sleep 0.1
  tries=$((tries + 1))
  is=$(ask 'show proc')
  new_worker=$(worker "$is")
  [ -n "$new_worker" ] || continue
  [ "$(failures "$is")" -gt "${old_failures:-0}" ] && break
  if [ "$new_worker" != "$old_worker" ]; then taken; exit 0; fi
done
point "$before" && rm -rf -- "$next"
echo "HAProxy did not take the new version although it passed its check; its log says why" >&2
exit 70
)sh";

}  // namespace ocim::loadbalancing
