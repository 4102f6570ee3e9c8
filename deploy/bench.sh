#!/usr/bin/env bash
# Speed beside what a user would pick instead, in one run, in turns; medians go to docs/performance.md, with the counts
# and the accuracy that belong to them. A peer that is not there, or lacks its packages, is said as skipped. What stands
# in that file below the mark is written by hand and stays.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${ROUNDS:-3}
edge=${EDGE:-target/release/vong-edge}
clip=${CLIP:-models/store/vtest.avi}
peers=${PEERS:-../shared/peers}
python=${PYTHON:-python3}
material=${MATERIAL:-../shared/data}
line=0.5,0,0.5,1
mark='<!-- below: by hand -->'
out=${OUT:-docs/performance.md}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ -x "$edge" ] || { echo "bench: $edge is not built; run make build" >&2; exit 2; }
[ -f "$clip" ] || { echo "bench: $clip is not there; run make models" >&2; exit 2; }

# key NAME: the number behind a key of the one object on standard input
key() { sed -n "s/.*\"$1\": *\(-\{0,1\}[0-9.]*\).*/\1/p" | head -n 1; }
median() { sort -g | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }'; }
per_frame() { awk -v s="$1" -v n="$2" 'BEGIN { if (n > 0) printf "%.3f", s * 1000 / n }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (a != "" && b > 0) printf "%.3f", a / b; else print "-" }'; }

# measure NAME COMMAND...: notes the object that a command prints; an empty note where it fails
measure() {
  local name=$1
  shift
  echo "bench: $name" >&2
  if ! "$@" >>"$work/$name" 2>"$work/$name.err"; then echo "bench: $name skipped: $(tail -n 1 "$work/$name.err")" >&2; fi
}
of() { [ -f "$work/$1" ] && while read -r object; do echo "$object" | key "$2"; done <"$work/$1" | median || true; }

# Processor time of a command, s, as an object.
cpu_of() {
  local TIMEFORMAT='%3U %3S'
  { time "$@" >/dev/null 2>&1; } 2>&1 | awk '{ printf "{\"cpu_s\": %.3f}\n", $1 + $2 }'
}

# A scene in which nothing happens: the clip's first picture, for a minute.
still=$work/still.mp4
ffmpeg -nostdin -v error -y -i "$clip" -frames:v 1 "$work/still.png"
ffmpeg -nostdin -v error -y -loop 1 -framerate 10 -i "$work/still.png" -t 60 -vf noise=alls=4:allf=t -pix_fmt yuv420p "$still"

for _ in $(seq "$rounds"); do
  measure every-f32 $edge bench pipeline --video "$clip" --line $line --every-frame --precision f32
  measure peer "$python" "$peers/people_counter.py" "$clip" --line $line
  measure every $edge bench pipeline --video "$clip" --line $line --every-frame
  measure faces $edge bench pipeline --video "$clip" --line $line --every-frame --faces
  measure peer-faces "$python" "$peers/people_counter.py" "$clip" --line $line --faces
  measure adaptive $edge bench pipeline --video "$clip" --line $line
  measure still $edge bench pipeline --video "$still" --line $line
  measure still-ffmpeg cpu_of ffmpeg -nostdin -i "$still" -f null -
  for size in 10000 100000; do
    measure gallery-$size $edge bench gallery --size $size --dim 128
    measure peer-gallery-$size "$python" "$peers/gallery_search.py" $size 128
  done
done

# Accuracy where there is annotated material: once, beside the speed of the same binary.
scenes=$material/plates/scenes
if [ -f "$scenes/truth.csv" ]; then
  measure plates $edge eval plates --images "$scenes" --truth "$scenes/truth.csv"
  measure peer-plates "$python" "$peers/plate_reader.py" "$scenes" "$scenes/truth.csv"
fi
wrong=0 true=0
if [ -f "$material/video/truth.csv" ]; then
  while IFS=, read -r file class x1 y1 x2 y2 in out_true _; do
    rm -f "$work/count"
    measure count $edge eval count --video "$material/video/$file" --line "${x1#\"},$y1,$x2,${y2%\"}" --class "$class"
    for pair in "$(of count in) $in" "$(of count out) $out_true"; do
      read -r counted is <<<"$pair"
      wrong=$((wrong + (counted > is ? counted - is : is - counted))) true=$((true + is))
    done
  done < <(tail -n +2 "$material/video/truth.csv")
fi

row() { # what, ours, peer, limit
  echo "| $1 | ${2:--} | ${3:-skipped} | $(ratio "$2" "$3") | $4 |"
}
count() { echo "$(of "$1" in) in, $(of "$1" out) out"; }
{
  echo "# Performance"
  echo
  echo "Made by \`make bench\` on $(date -u +%F): medians of $rounds rounds in turns, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg) at the end. One thread a model run; ms are processor time a frame, decoder included."
  echo
  echo "| work | ours | beside it | ratio | at most |"
  echo "|---|---|---|---|---|"
  row "every frame, f32, ms" "$(of every-f32 cpu_ms_per_frame)" "$(of peer cpu_ms_per_frame)" 0.95
  echo "| the same: all over decoding and bare inference | $(of every-f32 overhead_ratio) | - | - | 1.06 |"
  row "every frame, default precision, ms" "$(of every cpu_ms_per_frame)" "$(of peer cpu_ms_per_frame)" 0.45
  row "the same with faces, ms" "$(of faces cpu_ms_per_frame)" "$(of peer-faces cpu_ms_per_frame)" 0.40
  row "as the scene asks for (default), ms" "$(of adaptive cpu_ms_per_frame)" "$(of peer cpu_ms_per_frame)" 0.15
  row "a still scene beside \`ffmpeg -i clip -f null -\`, ms" "$(of still cpu_ms_per_frame)" "$(per_frame "$(of still-ffmpeg cpu_s)" "$(of still frames)")" 1.5
  row "the same beside decoding with one thread, ms" "$(of still cpu_ms_per_frame)" "$(of still decode_ms_per_frame)" 1.5
  row "10,000 faces of 128, us" "$(of gallery-10000 us_per_query)" "$(of peer-gallery-10000 us_per_query)" 0.25
  row "100,000 faces of 128, us" "$(of gallery-100000 us_per_query)" "$(of peer-gallery-100000 us_per_query)" 0.25
  row "plates, 84 scenes, ms a picture, p50" "$(of plates p50)" "$(of peer-plates ms_p50)" 0.2
  echo
  echo "Counts at line $line of the same runs: every frame f32 $(count every-f32); default precision $(count every); as the scene asks for $(count adaptive); peer $(count peer)."
  if [ "$true" -gt 0 ]; then echo "Counting with the default settings over the annotated lines: $wrong wrong of $true crossings."; fi
  if [ -s "$work/plates" ]; then echo "Plates read exactly: $(of plates exact) of $(of plates plates), $(of plates false_plates) false; the peer: $(of peer-plates exact), $(of peer-plates false_plates) false."; fi
  echo "More: \`make eval\`, accuracy.md."
  echo
  echo "$mark"
  if [ -f "$out" ]; then sed "1,/^$mark\$/d" "$out"; fi
} >"$work/page"
cp "$work/page" "$out"
cat "$out"
