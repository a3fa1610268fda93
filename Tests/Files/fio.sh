# Writes that are read back and checked, by each way to do so. `sh fio.sh SIZE ENGINES PATTERNS`
one() {
  fio --name=job --filename=f --bs=4k --verify=crc32c --thread --output-format=terse --terse-version=3 "$@" >o 2>e
  echo "$* $? errors $(cut -d';' -f5 o | head -1)" && cat e
}
for engine in $2; do
  for pattern in $3; do one --size="$1" --ioengine="$engine" --rw="$pattern" --do_verify=1 --fsync=64; done
done
one --size="$1" --ioengine=psync --rw=randwrite --bs=1k-16k --numjobs=3 --end_fsync=1 --fallocate=none
one --size="$1" --ioengine=psync --rw=randwrite --overwrite=1 --sync=1
ls && rm -f f o e
