#!/usr/bin/env bash
# Installs the Debian packages that are missing for the demo and the tests. Does nothing where all are there.
# Not fatal by itself: what cannot be installed is named, and whoever needs it says so again when he needs it.
set -uo pipefail

missing=()
need() { # command package
  command -v "$1" >/dev/null 2>&1 || missing+=("$2")
}
need ffmpeg ffmpeg
need chromium chromium
need python3 python3
need npm npm
python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)
ls /usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf >/dev/null 2>&1 || missing+=(fonts-dejavu-core)
# Servers for the tests of a province: their programs only, started by the tests themselves.
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
[ -x /usr/sbin/mosquitto ] || need mosquitto mosquitto
# Network cameras for the tests: GStreamer's RTSP server, driven by Debian's own Python.
/usr/bin/python3 -c 'import gi; gi.require_version("GstRtspServer", "1.0")' >/dev/null 2>&1 ||
  missing+=(python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good)
[ "${#missing[@]}" -eq 0 ] && exit 0

echo "installing Debian packages: ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "not root and no sudo: install them by hand: apt-get install ${missing[*]}" >&2
    exit 0
  fi
  as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
# No service of ours is to run on this machine: neither a cluster of PostgreSQL nor a broker. Where the machine has no
# policy of its own about starting services, one stands here while packages are installed.
policy=/usr/sbin/policy-rc.d
own_policy=
cleanup() {
  rm -f "$log"
  [ -z "$own_policy" ] || "${as_root[@]}" rm -f "$policy"
}
trap cleanup EXIT
case " ${missing[*]} " in *" postgresql "* | *" mosquitto "*)
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null && "${as_root[@]}" chmod 755 "$policy" && own_policy=yes
  fi
  if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    "${as_root[@]}" mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" | "${as_root[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
  fi
  ;;
esac
if ! { "${as_root[@]}" apt-get update && "${as_root[@]}" apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-confold "${missing[@]}"; } >"$log" 2>&1; then
  tail -5 "$log" >&2
  echo "could not install ${missing[*]}; install them by hand and run this again" >&2
fi
exit 0
