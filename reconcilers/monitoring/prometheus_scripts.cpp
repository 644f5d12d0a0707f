#include "monitoring/prometheus_scripts.hpp"

namespace ocim::monitoring::prometheus {

const char* const read_script = R"sh(
set -u
export LC_ALL=C
cd -- "$1" || exit 66
targets=$2.json rules=$2.rules.yml
command -v flock >/dev/null || { echo flock >&2; exit 67; }
exec 9>>".$2.lock" || exit 1
flock -w 10 9 || { echo "another process is at work there" >&2; exit 75; }
[ -e "$targets" ] || targets=/dev/null
[ -e "$rules" ] || rules=/dev/null
sum=$(cat -- "$targets" "$rules" | cksum) || exit 1
echo "${sum%% *} $(wc -c <"$targets") $(wc -c <"$rules")"
exec cat -- "$targets" "$rules"
)sh";

const char* const probe_script = R"sh(
export LC_ALL=C PATH="$PATH:/usr/local/bin:/usr/local/sbin:/usr/sbin:/sbin"
cd -- "$1" || exit 66
[ -w . ] || { echo "$1: Permission denied" >&2; exit 1; }
for tool in promtool flock cksum cmp head sync; do
  command -v "$tool" >/dev/null || { echo "$tool" >&2; exit 67; }
done
)sh";

const char* const write_script = R"sh(
set -u
export LC_ALL=C PATH="$PATH:/usr/local/bin:/usr/local/sbin:/usr/sbin:/sbin"
umask 022
mode=$1 targets=$3.json rules=$3.rules.yml expected=$4 bytes=$5 work=.$3.new
cd -- "$2" || exit 66
for tool in promtool flock; do command -v "$tool" >/dev/null || { echo "$tool" >&2; exit 67; }; done
exec 9>>".$3.lock" || exit 1
flock -w 20 9 || { echo "another process is at work there" >&2; exit 75; }
sum=$(for file in "$targets" "$rules"; do [ ! -e "$file" ] || cat -- "$file"; done | cksum) || exit 1
[ "${sum%% *}" = "$expected" ] || { echo "the files have changed" >&2; exit 75; }

rm -rf -- "$work" && mkdir "$work" || exit 1
trap 'rm -rf -- "$work"' EXIT
head -c "$bytes" >"$work/targets.json" && cat >"$work/rules.yml" || exit 1
# a target of a blackbox exporter is no address before its job has relabelled it
cat >"$work/prometheus.yml" <<'END' || exit 1
rule_files: [rules.yml]
scrape_configs:
- job_name: check
  metrics_path: /probe
  file_sd_configs: [{files: [targets.json]}]
  relabel_configs:
  - {source_labels: [__address__], target_label: __param_target}
  - {target_label: __address__, replacement: "127.0.0.1:9115"}
END
promtool check config "$work/prometheus.yml" 2>&1 || exit 65
[ "$mode" = apply ] || exit 0
sync -- "$work/targets.json" "$work/rules.yml" || exit 1
cmp -s -- "$work/rules.yml" "$rules" || mv -f -- "$work/rules.yml" "$rules" || exit 1
cmp -s -- "$work/targets.json" "$targets" || mv -f -- "$work/targets.json" "$targets" || exit 1
sync -- .
)sh";

}  // namespace ocim::monitoring::prometheus
