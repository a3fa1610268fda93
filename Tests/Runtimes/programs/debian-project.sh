# Builds a program of Debian from its source, runs its own tests, and leaves what came out.
set -e
name=$1
tar -xf $name.tar
rm $name.tar
mv $name-* $name
cd $name
./configure
# One job: the order of what make prints is the same each time.
make
make test
# What has the time in it.
rm configure.log
