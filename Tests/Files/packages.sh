# Ten Debian packages made and unpacked, compressed in each way there is.
set -e
for i in $(seq 10); do
  mkdir -p p/DEBIAN p/usr/share/n$i p/usr/bin p/etc
  printf 'Package: n%s\nVersion: 1\nArchitecture: all\nMaintainer: A <a@b>\nDescription: none\n' $i >p/DEBIAN/control
  for j in $(seq 12); do seq $i $((i * j * 40)) >p/usr/share/n$i/f$j; done
  cp /bin/sh p/usr/bin/n$i && ln p/usr/bin/n$i p/usr/bin/again$i && ln -s n$i p/usr/bin/link$i
  chmod 4755 p/usr/bin/n$i && echo x >p/etc/n$i && chmod 600 p/etc/n$i && chown 12:34 p/etc/n$i
  find p -exec touch -h -d '2020-01-01' {} +
  case $((i % 4)) in 0) how=none ;; 1) how=gzip ;; 2) how=xz ;; *) how=zstd ;; esac
  dpkg-deb -Z$how -z1 --threads-max=1 -b p n$i.deb >/dev/null && dpkg-deb -f n$i.deb Package
  dpkg-deb -c n$i.deb | wc -l
  mkdir x && dpkg-deb -x n$i.deb x && dpkg-deb -e n$i.deb x/DEBIAN && diff -r --no-dereference p x
  (cd x && find . ! -type d -printf '%p %y %m %U:%G %n %s %T@ %l\n' | sort | sha256sum)
  rm -rf p x n$i.deb
done
