// Writes records to files of a directory until somebody ends it, and says after each fsync which are safe. For
// Tests/Faults/kill9.py, which ends the machine meanwhile.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// As in kill9.py.
enum { FILES = 4, RECORD = 4096 + 100 };

// The checksum of zlib, a bit at a time.
static uint32_t checksum(const unsigned char *bytes, size_t count) {
  uint32_t value = ~0u;
  for (size_t i = 0; i < count; i++) {
    value ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) value = value >> 1 ^ (value & 1 ? 0xedb88320u : 0);
  }
  return ~value;
}

int main(int count, char **arguments) {
  int files[FILES];
  uint32_t written[FILES] = {0};
  char line[64];
  if (count < 2) return 2;
  for (int i = 0; i < FILES; i++) {
    snprintf(line, sizeof line, "%.40s/file%d", arguments[1], i);
    files[i] = open(line, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (files[i] < 0) {
      perror(line);
      return 1;
    }
  }
  unsigned state = 1;
  for (;;) {
    state = state * 1103515245 + 12345;
    int file = (int)(state >> 16) % FILES;
    unsigned records = 1 + (state >> 20) % 40;
    for (unsigned i = 0; i < records; i++) {
      static unsigned char record[RECORD];
      for (size_t at = 8; at < RECORD; at++) record[at] = (unsigned char)(at * 7 + written[file] * 13 + (unsigned)file);
      uint32_t sum = checksum(record + 8, RECORD - 8);
      memcpy(record, &written[file], 4);
      memcpy(record + 4, &sum, 4);
      if (write(files[file], record, RECORD) != RECORD) {
        perror("write");
        return 1;
      }
      written[file]++;
    }
    if ((state >> 26 & 1 ? fsync(files[file]) : fdatasync(files[file])) != 0) {
      perror("fsync");
      return 1;
    }
    int length = snprintf(line, sizeof line, "safe %d %u\n", file, written[file]);
    if (write(1, line, (size_t)length) != length) return 1;
  }
}
