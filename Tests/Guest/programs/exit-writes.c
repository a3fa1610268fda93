// Processes end with a changed file open, so that its pages are written while they end; several at a time.
#include "../check.h"
#include <sys/wait.h>

int main(void) {
  static char bytes[100000], back[sizeof bytes];
  int wrong = 0;
  for (int round = 0; round < 50; round++) {
    for (int i = 0; i < 4; i++) {
      if (fork()) continue;
      char name[16];
      snprintf(name, sizeof name, "file-%d", i);
      memset(bytes, round + i, sizeof bytes);
      int file = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
      _exit(write(file, bytes, sizeof bytes) != sizeof bytes);
    }
    for (int status; wait(&status) > 0;)
      if (status) wrong++;
    for (int i = 0; i < 4; i++) {
      char name[16];
      snprintf(name, sizeof name, "file-%d", i);
      int file = open(name, O_RDONLY);
      memset(bytes, round + i, sizeof bytes);
      if (read(file, back, sizeof back) != sizeof back || memcmp(bytes, back, sizeof back)) wrong++;
      close(file);
    }
  }
  CHECK_EQ(wrong, 0);
  for (int i = 0; i < 4; i++) {
    char name[16];
    snprintf(name, sizeof name, "file-%d", i);
    CHECK_OK(unlink(name));
  }
  CHECK_END();
}
