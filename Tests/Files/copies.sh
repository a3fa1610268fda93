# A tree with everything that a file can have, copied by rsync, tar and cp: the copies' listings are the original's.
# `sh copies.sh`, or `sh copies.sh share` where there are no FIFOs, no access control lists (QEMU's 9P server refuses them
# with security_model=none) and only attributes of the user's.
set -e
[ "$1" ] || acls=--acls
mkdir -p s/a/b s/c && cd s
for i in $(seq 30); do head -c $((i * 777)) /bin/sh >a/f"$i"; done
ln a/f1 a/h1 && ln a/f1 c/h1 && ln -s ../a/f2 c/l && ln -s nowhere c/dangling
truncate -s 3M c/sparse && dd if=/bin/sh of=c/sparse bs=4k count=2 seek=100 conv=notrunc status=none
[ "$1" ] || mkfifo c/p
chmod 4755 a/f3 && chmod 2750 a/b && chmod 1777 c && chown 1000:1001 a/f4 && chown -h 5:6 c/l
setfattr -n user.one -v 1 a/f5 && setfattr -n user.two -v zwei a/b
[ "$1" ] || setfattr -n trusted.t -v x a/f6
[ "$1" ] || {
  setfacl -m u:1000:rw,g:1001:r a/f8 && setfacl -m u:7:x,m::rwx a/f3 && setfacl -m d:u:1000:rwx,d:g:7:r a/b c
  setfacl -m o::- a/f8 && setfacl -x g:1001 a/f8 && setfacl -k c && mkdir a/b/below && echo x >a/b/below/x
}
find . -exec touch -h -d '2011-10-09 08:07:06.5' {} +
touch -d '2001-02-03 04:05:06.789012345' a/f7 && touch -h -d '1999-01-01' c/l && touch -d '1980-01-01' a/b
touch -d '1985-01-01' a c .
cd ..
list() {
  (cd "$1" && find . ! -type d -printf '%p %y %m %U:%G %n %s %T@ %l\n' -o -printf '%p %y %m %U:%G %T@\n' | sort
    find . | sort | xargs getfattr -h -d -m - 2>/dev/null)
}
list s >S && cat S
rsync -aHAX s/ r/ && list r >R && diff S R && diff -r --no-dereference s/a r/a && echo 'rsync: same'
[ "$1" ] || setfacl -m u:2000:r s/a/f11 s/a/f8
echo more >>s/a/f9 && rm s/a/f10 && mkdir s/new && touch -d 1980-01-01 s/a s/a/f9 s/new && touch -d 1985-01-01 s
rsync -aHAXi --delete s/ r/ && list s >S && list r >R && diff S R && echo 'rsync of changes: same'
rsync -aHAXc --inplace s/ r/ && rsync -aS s/c/sparse r2 && cmp r2 s/c/sparse && echo 'in place, sparse: same'
tar $acls --xattrs --xattrs-include='*' -cf x.tar s && mkdir t
tar $acls --xattrs --xattrs-include='*' -xpf x.tar -C t
list t/s >T && diff S T && echo 'tar: same'
tar -cSzf x.tgz s && tar -tvzf x.tgz | sort | sha256sum
tar -cf - s | tar -xf - -C t --overwrite && list t/s | sha256sum
cp -a s u && list u >U && diff S U && echo 'cp: same'
mv u v && list v >U && diff S U && echo 'mv: same'
[ "$1" ] || find s/c/sparse r/c/sparse t/s/c/sparse v/c/sparse r2 -printf '%p %b\n'
rm -rf s r t v x.tar x.tgz r2 && ls -A
