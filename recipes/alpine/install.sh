#!/bin/sh
# Runs inside the image, as one step, and removes itself.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends busybox ca-certificates
# BusyBox's programs where Debian has none of that name here; Debian's own stay.
for program in $(busybox --list); do
  case $program in
    rpm | rpm2cpio | dpkg | run-init | init | linuxrc | halt | poweroff | reboot | start-stop-daemon) continue ;;
  esac
  command -v "$program" > /dev/null 2>&1 || ln -s /bin/busybox "/usr/bin/$program"
done
install -m 755 /recipe/apk /sbin/apk
install -d /usr/share/apk
install -m 644 /recipe/apk-names /usr/share/apk/names
# Before Debian's in the search path; they hand on what is written Debian's way.
install -m 755 /recipe/adduser /recipe/addgroup /usr/local/sbin/
install -m 755 /recipe/su-exec /usr/local/bin/su-exec
rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/dpkg.log /var/log/apt /recipe
