// What a pipe holds: frames, each with what one write has put there; packets; what splice(2) takes of it.
#include "../check.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static char big[1 << 20], back[1 << 20];
static int ends[2];

static int held(void) {
  int count = -1;
  ioctl(ends[0], FIONREAD, &count);
  return count;
}
static int is_writable(void) {
  struct pollfd ask = {ends[1], POLLOUT, 0};
  return poll(&ask, 1, 0) == 1 && ask.revents & POLLOUT;
}
static void renew(int flags) {
  if (ends[0]) close(ends[0]), close(ends[1]);
  CHECK(pipe2(ends, flags) == 0);
}
static long put(size_t count) { return write(ends[1], big, count); }
static long get(size_t count) { return read(ends[0], back, count); }

static void frames(void) {
  say("-- frames");
  renew(O_NONBLOCK);
  CHECK_EQ(put(1), 1);
  CHECK_EQ(put(65536), 61440);
  CHECK_EQ(held(), 61441);
  CHECK(!is_writable());
  CHECK_ERRNO(put(1), EAGAIN);
  CHECK_EQ(get(1), 1);
  CHECK(is_writable());
  CHECK_EQ(put(4096), 4096);
  CHECK_EQ(get(sizeof back), 65536);

  // Small writes share frames, as far as each fits as a whole.
  for (int i = 0; i < 16; i++) CHECK_EQ(put(3000), 3000);
  CHECK(!is_writable());
  CHECK_EQ(put(1000), 1000);
  CHECK_ERRNO(put(97), EAGAIN);
  CHECK_EQ(put(96), 96);
  CHECK_EQ(held(), 49096);
  CHECK_EQ(get(2999), 2999);
  CHECK(!is_writable());
  CHECK_EQ(get(1), 1);
  CHECK(is_writable());
  // What is beyond whole pages goes to the last frame, before the pages.
  CHECK_EQ(put(4000), 4000);
  CHECK_EQ(put(4096 + 96), 96);
  CHECK_EQ(get(sizeof back), 50192);
  CHECK_EQ(put(100), 100);
  CHECK_EQ(put(8192 + 200), 8392);
  CHECK_EQ(held(), 8492);
  CHECK_EQ(put(65536), 13 * 4096);
  CHECK_EQ(get(sizeof back), 8492 + 13 * 4096);
  CHECK_EQ(get(1), -1);
}

static void sizes(void) {
  say("-- sizes");
  renew(O_NONBLOCK);
  for (int i = 0; i < 5; i++) CHECK_EQ(put(4096), 4096);
  for (int i = 0; i < 3; i++) CHECK_EQ(put(2049), 2049);
  CHECK_ERRNO(fcntl(ends[1], F_SETPIPE_SZ, 4 * 4096), EBUSY);
  CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 8 * 4096), 8 * 4096);
  CHECK(!is_writable());
  CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 8 * 4096 + 1), 16 * 4096);
  CHECK(is_writable());
  for (unsigned i = 0; i < sizeof big; i++) big[i] = (char)(i * 7 + i / 253);
  CHECK_EQ(put(sizeof big), 8 * 4096);
  CHECK_EQ(get(4096 * 5 + 2049 * 3), 4096 * 5 + 2049 * 3);
  CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, sizeof big), sizeof big);
  CHECK_EQ(get(sizeof back), 8 * 4096);
  CHECK(memcmp(big, back, 8 * 4096) == 0);
  CHECK_EQ(put(sizeof big), sizeof big);
  CHECK_EQ(get(sizeof back), sizeof big);
  CHECK(memcmp(big, back, sizeof big) == 0);
}

static void packets(void) {
  say("-- packets");
  renew(O_NONBLOCK | O_DIRECT);
  CHECK_EQ(put(10), 10);
  CHECK_EQ(put(20), 20);
  CHECK_EQ(put(5000), 5000);
  CHECK_EQ(held(), 5030);
  CHECK_EQ(get(5), 5);
  CHECK_EQ(get(100), 20);
  CHECK_EQ(get(8192), 4096);
  CHECK_EQ(get(8192), 904);
  CHECK_EQ(get(1), -1);
  for (int i = 0; i < 16; i++) CHECK_EQ(put(1), 1);
  CHECK_ERRNO(put(1), EAGAIN);
  for (int i = 0; i < 16; i++) CHECK_EQ(get(10), 1);
  // Without the flag, packets that are there stay such, and nothing joins them.
  CHECK_EQ(put(3), 3);
  CHECK(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
  CHECK_EQ(put(4), 4);
  CHECK_EQ(put(5), 5);
  CHECK_EQ(get(100), 3);
  CHECK_EQ(get(100), 9);
  // And with it, a write joins what takes more.
  CHECK_EQ(put(4), 4);
  CHECK(fcntl(ends[1], F_SETFL, O_NONBLOCK | O_DIRECT) == 0);
  CHECK_EQ(put(5), 5);
  CHECK_EQ(put(4096), 4096);
  CHECK_EQ(get(9), 9);
  CHECK_EQ(get(8192), 4096);
}

static void splices(void) {
  say("-- splices");
  renew(O_NONBLOCK);
  int file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600), others[2];
  CHECK_EQ(write(file, big, 200000), 200000);
  // A frame for each page of the file that is touched.
  loff_t offset = 4000;
  CHECK_EQ(splice(file, &offset, ends[1], NULL, 200, 0), 200);
  CHECK_EQ(put(50), 50);
  CHECK_EQ(put(50), 50);
  offset = 100;
  CHECK_EQ(splice(file, &offset, ends[1], NULL, 100000, SPLICE_F_NONBLOCK), 12 * 4096 + 3996);
  CHECK_EQ(offset, 13 * 4096);
  CHECK_EQ(get(sizeof back), 300 + 13 * 4096 - 100);
  CHECK(memcmp(back, big + 4000, 200) == 0 && memcmp(back + 300, big + 100, 13 * 4096 - 100) == 0);

  // Frames go from one pipe to another as they are; parts of them take no more.
  CHECK(pipe2(others, O_NONBLOCK) == 0);
  CHECK_EQ(put(1000), 1000);
  CHECK_EQ(splice(ends[0], NULL, others[1], NULL, 600, 0), 600);
  CHECK_EQ(splice(ends[0], NULL, others[1], NULL, 600, 0), 400);
  CHECK_EQ(write(others[1], big, 100), 100);
  CHECK_EQ(fcntl(others[1], F_SETPIPE_SZ, 4096 * 2), 4096 * 2);
  CHECK_ERRNO(fcntl(others[1], F_SETPIPE_SZ, 4096), EBUSY);
  CHECK_EQ(put(1000), 1000);
  CHECK_ERRNO(splice(ends[0], NULL, others[1], NULL, 600, SPLICE_F_NONBLOCK), EAGAIN);
  CHECK_EQ(read(others[0], back, sizeof back), 1100);
  CHECK_EQ(tee(ends[0], others[1], 5000, 0), 1000);
  CHECK_EQ(write(others[1], big, 10), 10);
  CHECK_ERRNO(fcntl(others[1], F_SETPIPE_SZ, 4096), EBUSY);
  CHECK_EQ(put(10), 10);
  CHECK_EQ(get(sizeof back), 1010);
  close(file), close(others[0]), close(others[1]);
}

static void times(void) {
  say("-- times of a FIFO");
  const struct timespec old[2] = {{1000, 1}, {2000, 2}};
  struct stat status;
  CHECK(mkfifo("fifo", 0600) == 0);
  int fd = open("fifo", O_RDWR | O_NONBLOCK);
  CHECK(futimens(fd, old) == 0);
  CHECK_EQ(read(fd, back, 1), -1);
  CHECK(fstat(fd, &status) == 0 && status.st_atime == 1000 && status.st_mtime == 2000);
  CHECK_EQ(write(fd, big, 2), 2);
  CHECK(fstat(fd, &status) == 0 && status.st_atime == 1000 && status.st_mtime > 1000000000);
  CHECK_EQ(read(fd, back, 1), 1);
  CHECK(fstat(fd, &status) == 0 && status.st_atime > 1000000000);
  close(fd);
}

int main(void) {
  frames();
  sizes();
  packets();
  splices();
  times();
  CHECK_END();
}
