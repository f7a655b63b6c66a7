#!/bin/sh
# Lays out /root-of-image: one static program under its many names, and the few files that it reads.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends busybox-static
root=/root-of-image
mkdir -p $root/bin $root/etc $root/home $root/root $root/usr/bin $root/usr/sbin $root/var/spool/mail $root/var/www
mkdir -m 1777 $root/tmp
cp "$(command -v busybox)" $root/bin/busybox
for program in $(busybox --list); do
  [ "$program" = busybox ] || ln -s busybox "$root/bin/$program"
done
ln -s ../../bin/env $root/usr/bin/env
cat > $root/etc/passwd << 'PASSWD'
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
PASSWD
cat > $root/etc/group << 'GROUP'
root:x:0:
daemon:x:1:
tty:x:5:
www-data:x:33:
users:x:100:
nobody:x:65534:
GROUP
