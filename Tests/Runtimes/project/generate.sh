# Writes one part of the program.
cat <<END
#include "parts.h"
int part$1(int n) {
  int sum = $1;
  for (int i = 0; i < n * 1000; i++) sum = sum * 31 + i % ($1 + 2);
  return sum;
}
END
