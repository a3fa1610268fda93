# Builds a small project with make, four jobs at a time, and runs its tests.
set -e
cd project
make -j4 --no-print-directory -s
make --no-print-directory -s check
touch b3.c
make -j4 --no-print-directory -s check
make --no-print-directory broken || echo "status $?"
