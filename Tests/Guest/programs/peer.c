// One end of connections over a network card; Tests/Network/cards.py is the other.
//
//   peer tcp PORT COUNT         serves so many connections at once: answers each with the number and sum of its bytes
//   peer udp PORT COUNT         sends so many datagrams back
//   peer to ADDRESS PORT BYTES  connects, sends, and prints the answer
#include "../check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

static unsigned char buffer[65536];

static uint32_t sum(uint32_t state, const unsigned char *bytes, ssize_t count) {
  for (ssize_t i = 0; i < count; i++) state = (state ^ bytes[i]) * 16777619u;
  return state;
}

static int bound(int type, int port) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int fd = socket(AF_INET, type, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof name)) {
    perror("bind");
    exit(1);
  }
  return fd;
}

static int serve(int port, int count) {
  struct pollfd entries[64];
  uint32_t sums[64];
  long totals[64];
  int used = 1, done = 0;
  entries[0] = (struct pollfd){bound(SOCK_STREAM, port), POLLIN, 0};
  if (listen(entries[0].fd, 64)) return 1;
  say("listening");
  while (done < count) {
    if (poll(entries, (nfds_t)used, 20000) <= 0) return 2;
    if (entries[0].revents && used < 64) {
      entries[used] = (struct pollfd){accept(entries[0].fd, NULL, NULL), POLLIN, 0};
      sums[used] = 2166136261u;
      totals[used++] = 0;
    }
    for (int i = used - 1; i > 0; i--) {
      if (!entries[i].revents) continue;
      ssize_t got = read(entries[i].fd, buffer, sizeof buffer);
      if (got > 0) {
        sums[i] = sum(sums[i], buffer, got);
        totals[i] += got;
        continue;
      }
      if (got < 0) perror("read");
      dprintf(entries[i].fd, "%ld %08x\n", totals[i], sums[i]);
      close(entries[i].fd);
      used--;
      entries[i] = entries[used], sums[i] = sums[used], totals[i] = totals[used];
      done++;
    }
  }
  say("served %d", done);
  return 0;
}

static int reflect(int port, int count) {
  int fd = bound(SOCK_DGRAM, port);
  say("listening");
  for (int i = 0; i < count; i++) {
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    ssize_t got = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &size);
    if (got < 0 || sendto(fd, buffer, (size_t)got, 0, (struct sockaddr *)&from, size) != got) {
      perror("datagram");
      return 1;
    }
  }
  say("reflected %d", count);
  return 0;
}

static int ask(const char *address, int port, long left) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  inet_pton(AF_INET, address, &name.sin_addr);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&name, sizeof name)) {
    perror("connect");
    return 1;
  }
  uint32_t state = 1;
  while (left > 0) {
    ssize_t count = left < (long)sizeof buffer ? left : (ssize_t)sizeof buffer;
    for (ssize_t i = 0; i < count; i++) buffer[i] = (unsigned char)((state = state * 1664525 + 1013904223) >> 24);
    for (ssize_t done = 0; done < count;) {
      ssize_t written = write(fd, buffer + done, (size_t)(count - done));
      if (written < 0) {
        perror("write");
        return 1;
      }
      done += written;
    }
    left -= count;
  }
  shutdown(fd, SHUT_WR);
  ssize_t got = read(fd, buffer, sizeof buffer);
  if (got > 0 && write(1, buffer, (size_t)got) != got) return 1;
  return got <= 0;
}

int main(int count, char **arguments) {
  if (count == 4 && !strcmp(arguments[1], "tcp")) return serve(atoi(arguments[2]), atoi(arguments[3]));
  if (count == 4 && !strcmp(arguments[1], "udp")) return reflect(atoi(arguments[2]), atoi(arguments[3]));
  if (count == 5 && !strcmp(arguments[1], "to")) return ask(arguments[2], atoi(arguments[3]), atol(arguments[4]));
  return 2;
}
