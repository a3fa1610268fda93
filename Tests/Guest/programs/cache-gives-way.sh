dd if=/dev/zero of=/big bs=1M count=100 2>/dev/null
mkdir /many
i=0
while [ $i -lt 2000 ]; do
  : >/many/$i
  i=$((i + 1))
done
for round in 1 2 3; do
  ls /many | wc -l
  cat /big >/dev/null
  echo $round $(ls /many/1)
  : >/tmp/$round
done
rm -r /big /many
