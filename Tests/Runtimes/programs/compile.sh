# Compiles, links and runs in C and C++, and fails in the ways that compilers fail.
gcc -O2 -o hello hello.c -lm
./hello a b; echo $?
gcc -static -o static hello.c -lm && ./static; echo $?
g++ -O1 -std=c++17 -o hello++ hello.cc -pthread
./hello++; echo $?
gcc -c missing.c; echo $?
echo 'int main(void) { return unknown; }' > bad.c
gcc bad.c; echo $?
echo 'int f(void); int main(void) { return f(); }' > undefined.c
gcc undefined.c 2>&1 | sed 's/cc[A-Za-z0-9]*\.o/object/g'
gcc -pipe -S -o piped.s hello.c; echo $?
