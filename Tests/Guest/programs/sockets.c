// AF_UNIX sockets: pairs, names, connections, datagrams, descriptors and credentials in messages, options, readiness.
#include "../check.h"

#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>

static char big[300000];

static int events(int fd, int timeout) {
  struct pollfd entry = {fd, POLLIN | POLLOUT | POLLRDHUP | POLLRDNORM | POLLWRNORM | POLLWRBAND, 0};
  int result = poll(&entry, 1, timeout);
  return result == 1 ? entry.revents : 0;
}

static socklen_t named(struct sockaddr_un *address, const char *path) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  // A name that begins with @ is abstract.
  strcpy(address->sun_path, path);
  socklen_t length = offsetof(struct sockaddr_un, sun_path) + strlen(path);
  if (path[0] == '@') {
    address->sun_path[0] = 0;
    return length;
  }
  return length + 1;
}

static int sigpipes;
static void on_sigpipe(int number) { (void)number, sigpipes++; }

#define OUT (POLLOUT | POLLWRNORM | POLLWRBAND)
#define IN (POLLIN | POLLRDNORM)

static void making(void) {
  int pair[2];
  CHECK_ERRNO(socket(-1, SOCK_STREAM, 0), EAFNOSUPPORT);
  CHECK_ERRNO(socket(999, SOCK_STREAM, 0), EAFNOSUPPORT);
  CHECK_ERRNO(socket(AF_UNIX, 99, 0), EINVAL);
  CHECK_ERRNO(socket(AF_UNIX, 0, 0), ESOCKTNOSUPPORT);
  CHECK_ERRNO(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
  CHECK_ERRNO(socket(AF_UNIX, SOCK_STREAM, 7), EPROTONOSUPPORT);
  CHECK_ERRNO(socket(AF_UNIX, SOCK_STREAM | 0x1000, 0), EINVAL);
  CHECK_ERRNO(socketpair(AF_UNIX, SOCK_STREAM, 7, pair), EPROTONOSUPPORT);
  CHECK_ERRNO(socketpair(AF_UNIX, SOCK_STREAM | 0x1000, 0, pair), EINVAL);
  CHECK_RAW(EFAULT, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 8);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  struct stat info;
  fstat(fd, &info);
  CHECK_EQ(info.st_mode, S_IFSOCK | 0777);
  CHECK_EQ(events(fd, 0), POLLHUP | OUT);
  CHECK_ERRNO(read(fd, big, 1), EINVAL);
  CHECK_ERRNO(write(fd, big, 1), ENOTCONN);
  CHECK_ERRNO(lseek(fd, 0, SEEK_SET), ESPIPE);
  CHECK_ERRNO(pread(fd, big, 1, 0), ESPIPE);
  CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
  CHECK_ERRNO(accept(fd, NULL, NULL), EINVAL);
  CHECK_ERRNO(listen(fd, 1), EINVAL);
  CHECK_OK(shutdown(fd, SHUT_RDWR));
  CHECK_ERRNO(shutdown(fd, 3), EINVAL);
  CHECK_ERRNO(bind(0, (void *)big, 4), ENOTSOCK);
  CHECK_ERRNO(bind(99, (void *)big, 4), EBADF);
  close(fd);
  fd = socket(AF_UNIX, SOCK_RAW, 0);
  int type = 0;
  socklen_t length = sizeof type;
  CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length));
  CHECK_EQ(type, SOCK_DGRAM);
  close(fd);
}

static void streams(void) {
  int pair[2];
  char text[100];
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  CHECK_EQ(events(pair[0], 0), OUT);
  CHECK_EQ(write(pair[0], "hello", 5), 5);
  CHECK_EQ(write(pair[0], " world", 6), 6);
  CHECK_EQ(events(pair[1], 0), IN | OUT);
  int count = -1;
  CHECK_OK(ioctl(pair[1], FIONREAD, &count));
  CHECK_EQ(count, 11);
  CHECK_EQ(recv(pair[1], text, 3, MSG_PEEK), 3);
  CHECK_EQ(recv(pair[1], text, 100, MSG_PEEK), 11);
  CHECK_EQ(read(pair[1], text, 7), 7);
  CHECK(memcmp(text, "hello w", 7) == 0);
  struct iovec vector[2] = {{text, 2}, {text + 50, 50}};
  CHECK_EQ(readv(pair[1], vector, 2), 4);
  CHECK(memcmp(text, "or", 2) == 0 && memcmp(text + 50, "ld", 2) == 0);
  CHECK_ERRNO(recv(pair[1], text, 1, MSG_DONTWAIT), EAGAIN);
  CHECK_EQ(read(pair[1], text, 0), 0);
  CHECK_EQ(write(pair[0], text, 0), 0);
  CHECK_RAW(EFAULT, SYS_write, pair[0], 8, 10);
  CHECK_EQ(events(pair[1], 0), OUT);
  CHECK_EQ(write(pair[0], "x", 1), 1);
  CHECK_RAW(EFAULT, SYS_read, pair[1], 8, 10);
  CHECK_EQ(read(pair[1], text, 10), 1);
  close(pair[0]);
  close(pair[1]);

  // Full, and the way back to writable.
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair);
  ssize_t filled = write(pair[0], big, sizeof big);
  CHECK_EQ(filled, 219264);
  CHECK_ERRNO(write(pair[0], big, 1), EAGAIN);
  CHECK_EQ(events(pair[0], 0), 0);
  CHECK_EQ(read(pair[1], big, 100000), 100000);
  CHECK_EQ(events(pair[0], 0), 0);
  CHECK_EQ(read(pair[1], big, 100000), 100000);
  CHECK_EQ(events(pair[0], 0), OUT);
  CHECK_EQ(read(pair[1], big, 100000), filled - 200000);
  CHECK_ERRNO(read(pair[1], big, 1), EAGAIN);

  // Half-closed, closed, broken.
  write(pair[1], "back", 4);
  CHECK_OK(shutdown(pair[0], SHUT_WR));
  CHECK_EQ(events(pair[1], 0), IN | OUT | POLLRDHUP);
  CHECK_EQ(events(pair[0], 0), IN | OUT);
  CHECK_EQ(read(pair[1], big, 1), 0);
  signal(SIGPIPE, on_sigpipe);
  CHECK_ERRNO(write(pair[0], "x", 1), EPIPE);
  CHECK_EQ(sigpipes, 1);
  CHECK_ERRNO(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
  CHECK_EQ(sigpipes, 1);
  CHECK_EQ(read(pair[0], big, 10), 4);
  CHECK_OK(shutdown(pair[0], SHUT_RD));
  CHECK_ERRNO(write(pair[1], "x", 1), EPIPE);
  CHECK_EQ(events(pair[0], 0), IN | OUT | POLLRDHUP | POLLHUP);
  close(pair[0]);
  close(pair[1]);
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  write(pair[0], "unread", 6);
  write(pair[1], "more", 4);
  close(pair[1]);
  CHECK_EQ(events(pair[0], 0), IN | OUT | POLLRDHUP | POLLHUP | POLLERR);
  CHECK_EQ(read(pair[0], text, 4), 4);
  CHECK_ERRNO(read(pair[0], text, 4), ECONNRESET);
  CHECK_EQ(read(pair[0], text, 4), 0);
  CHECK_ERRNO(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
  close(pair[0]);

  // A time-out, and MSG_WAITALL that a signal cuts short.
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  struct timeval time = {0, 20000}, got;
  socklen_t length = sizeof got;
  CHECK_OK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
  CHECK_OK(getsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &got, &length));
  CHECK(got.tv_sec == 0 && got.tv_usec == 20000 && length == sizeof got);
  CHECK_ERRNO(read(pair[0], text, 1), EAGAIN);
  write(pair[1], "abc", 3);
  CHECK_EQ(recv(pair[0], text, 10, MSG_WAITALL), 3);
  time.tv_usec = 1000000;
  CHECK_ERRNO(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time), EDOM);
  CHECK_ERRNO(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, 4), EINVAL);
  int sum = 0;
  for (int i = 0; i < 100000; i++) {
    char c = i, d = 0;
    write(pair[1], &c, 1);
    read(pair[0], &d, 1);
    sum += c == d;
  }
  CHECK_EQ(sum, 100000);
  sum = 0;
  unsigned written = 0, seen = 0;
  for (int i = 0; i < 3000; i++) {
    char buffer[900];
    size_t size = (i * 37) % 900;
    for (size_t j = 0; j < size; j++) buffer[j] = written++ * 7;
    if (write(pair[1], buffer, size) != (ssize_t)size) break;
    size = (i * 53) % 900;
    ssize_t n = recv(pair[0], buffer, size, MSG_DONTWAIT);
    for (ssize_t j = 0; j < n; j++) sum += buffer[j] != (char)(seen++ * 7);
    ioctl(pair[0], FIONREAD, &count);
    sum += count != (int)(written - seen);
    if (written - seen > 100000) break;
  }
  CHECK_EQ(sum, 0);
  close(pair[0]);
  close(pair[1]);
}

static void names(void) {
  struct sockaddr_un address, other;
  socklen_t length = sizeof other, size;
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_OK(getsockname(fd, (void *)&other, &length));
  CHECK(length == 2 && other.sun_family == AF_UNIX);
  CHECK_ERRNO(getpeername(fd, (void *)&other, &length), ENOTCONN);
  unlink("name");
  size = named(&address, "name");
  CHECK_ERRNO(bind(fd, (void *)&address, 1), EINVAL);
  CHECK_ERRNO(bind(fd, (void *)&address, 200), EINVAL);
  address.sun_family = AF_INET;
  CHECK_ERRNO(bind(fd, (void *)&address, size), EINVAL);
  address.sun_family = AF_UNIX;
  CHECK_ERRNO(connect(fd, (void *)&address, size), ENOENT);
  close(open("name", O_CREAT | O_RDWR, 0600));
  CHECK_ERRNO(connect(fd, (void *)&address, size), ECONNREFUSED);
  CHECK_ERRNO(bind(fd, (void *)&address, size), EADDRINUSE);
  unlink("name");
  umask(022);
  CHECK_OK(bind(fd, (void *)&address, size));
  struct stat info;
  CHECK_OK(stat("name", &info));
  CHECK_EQ(info.st_mode, S_IFSOCK | 0755);
  CHECK_ERRNO(open("name", O_RDWR), ENXIO);
  length = sizeof other;
  CHECK_OK(getsockname(fd, (void *)&other, &length));
  CHECK(length == 7 && strcmp(other.sun_path, "name") == 0);
  length = 4;
  memset(&other, 'z', sizeof other);
  CHECK_OK(getsockname(fd, (void *)&other, &length));
  CHECK(length == 7 && memcmp(other.sun_path, "nazz", 4) == 0);
  CHECK_ERRNO(bind(fd, (void *)&address, size), EADDRINUSE);
  named(&other, "second");
  CHECK_ERRNO(bind(fd, (void *)&other, 9), EINVAL);
  CHECK_ERRNO(stat("second", &info), ENOENT);
  int client = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_ERRNO(connect(client, (void *)&address, size), ECONNREFUSED);
  CHECK_OK(listen(fd, 1));
  int accepts = 0;
  length = sizeof accepts;
  CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length));
  CHECK_EQ(accepts, 1);
  CHECK_EQ(events(fd, 0), 0);
  CHECK_OK(connect(client, (void *)&address, size));
  CHECK_ERRNO(connect(client, (void *)&address, size), EISCONN);
  CHECK_EQ(events(fd, 0), IN);
  CHECK_EQ(write(client, "early", 5), 5);
  // The backlog: one more than it says.
  int second = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), third = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  CHECK_OK(connect(second, (void *)&address, size));
  CHECK_ERRNO(connect(third, (void *)&address, size), EAGAIN);
  length = sizeof other;
  int served = accept4(fd, (void *)&other, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
  CHECK(served >= 0 && length == 2);
  CHECK_EQ(fcntl(served, F_GETFL), O_RDWR | O_NONBLOCK);
  CHECK_ERRNO(accept4(fd, NULL, NULL, 1), EINVAL);
  char text[16];
  CHECK_EQ(read(served, text, 16), 5);
  length = sizeof other;
  CHECK_OK(getpeername(client, (void *)&other, &length));
  CHECK(length == 7 && strcmp(other.sun_path, "name") == 0);
  length = sizeof other;
  CHECK_OK(getsockname(served, (void *)&other, &length));
  CHECK(length == 7 && strcmp(other.sun_path, "name") == 0);
  struct ucred who;
  length = sizeof who;
  CHECK_OK(getsockopt(served, SOL_SOCKET, SO_PEERCRED, &who, &length));
  CHECK(who.pid == getpid() && who.uid == geteuid() && who.gid == getegid() && length == 12);
  // The listener goes: whoever waits loses the connection, who was accepted keeps it.
  close(fd);
  CHECK_EQ(events(second, 0), IN | OUT | POLLRDHUP | POLLHUP | POLLERR);
  CHECK_ERRNO(read(second, text, 1), ECONNRESET);
  CHECK_EQ(read(second, text, 1), 0);
  CHECK_EQ(write(served, "late", 4), 4);
  CHECK_EQ(read(client, text, 16), 4);
  CHECK_ERRNO(connect(third, (void *)&address, size), ECONNREFUSED);
  unlink("name");
  CHECK_ERRNO(connect(third, (void *)&address, size), ENOENT);
  close(second);
  close(third);
  close(client);
  close(served);

  // Abstract names: the length counts, and each type has its own.
  fd = socket(AF_UNIX, SOCK_STREAM, 0);
  size = named(&address, "@abstract\1name");
  CHECK_OK(bind(fd, (void *)&address, size));
  CHECK_OK(listen(fd, 5));
  int datagram = socket(AF_UNIX, SOCK_DGRAM, 0);
  CHECK_OK(bind(datagram, (void *)&address, size));
  client = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_ERRNO(bind(client, (void *)&address, size), EADDRINUSE);
  CHECK_ERRNO(connect(client, (void *)&address, size - 1), ECONNREFUSED);
  CHECK_ERRNO(connect(client, (void *)&address, size + 1), ECONNREFUSED);
  CHECK_OK(connect(client, (void *)&address, size));
  CHECK_ERRNO(listen(client, 1), EINVAL);
  close(fd);
  close(client);
  fd = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_OK(bind(fd, (void *)&address, size));
  close(fd);
  close(datagram);
  // Autobind.
  fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  CHECK_OK(bind(fd, (void *)&address, 2));
  length = sizeof other;
  getsockname(fd, (void *)&other, &length);
  CHECK(length == 8 && other.sun_path[0] == 0);
  close(fd);
  // A path that fills the structure has no NUL.
  memset(address.sun_path, 'p', sizeof address.sun_path);
  fd = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_OK(bind(fd, (void *)&address, sizeof address));
  length = sizeof address;
  CHECK_OK(getsockname(fd, (void *)&other, &length));
  CHECK_EQ(length, sizeof address + 1);
  char path[109] = {0};
  memset(path, 'p', 108);
  CHECK_OK(unlink(path));
  close(fd);
}

static void datagrams(void) {
  int pair[2];
  char text[100];
  struct sockaddr_un address, from;
  socklen_t length = sizeof from, size;
  CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
  CHECK_EQ(send(pair[0], "one", 3, 0), 3);
  CHECK_EQ(send(pair[0], "", 0, 0), 0);
  CHECK_EQ(send(pair[0], "three", 5, 0), 5);
  int count = -1;
  ioctl(pair[1], FIONREAD, &count);
  CHECK_EQ(count, 3);
  CHECK_EQ(recv(pair[1], text, 2, MSG_PEEK | MSG_TRUNC), 3);
  CHECK_EQ(recv(pair[1], text, 2, 0), 2);
  CHECK_EQ(recv(pair[1], text, 100, 0), 0);
  CHECK_EQ(recvfrom(pair[1], text, 100, 0, (void *)&from, &length), 5);
  CHECK_EQ(length, 0);
  CHECK_ERRNO(recv(pair[1], text, 100, MSG_DONTWAIT), EAGAIN);
  CHECK_ERRNO(send(pair[0], big, 212992, 0), EMSGSIZE);
  CHECK_EQ(send(pair[0], big, 200000, 0), 200000);
  CHECK_EQ(recv(pair[1], big, sizeof big, 0), 200000);
  CHECK_EQ(events(pair[0], 0), OUT);
  close(pair[1]);
  CHECK_EQ(events(pair[0], 0), OUT);
  sigpipes = 0;
  CHECK_ERRNO(send(pair[0], "x", 1, 0), ECONNREFUSED);
  CHECK_ERRNO(send(pair[0], "x", 1, 0), ENOTCONN);
  CHECK_EQ(sigpipes, 0);
  close(pair[0]);

  int server = socket(AF_UNIX, SOCK_DGRAM, 0), client = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  unlink("server");
  size = named(&address, "server");
  CHECK_ERRNO(sendto(client, "x", 1, 0, (void *)&address, size), ENOENT);
  CHECK_ERRNO(send(client, "x", 1, 0), ENOTCONN);
  CHECK_OK(bind(server, (void *)&address, size));
  CHECK_ERRNO(listen(server, 1), EOPNOTSUPP);
  CHECK_ERRNO(accept(server, NULL, NULL), EOPNOTSUPP);
  CHECK_EQ(sendto(client, "x", 1, 0, (void *)&address, size), 1);
  length = sizeof from;
  CHECK_EQ(recvfrom(server, text, 100, 0, (void *)&from, &length), 1);
  CHECK_EQ(length, 0);
  struct sockaddr_un mine;
  socklen_t my_size = named(&mine, "@client");
  CHECK_OK(bind(client, (void *)&mine, my_size));
  CHECK_OK(connect(client, (void *)&address, size));
  CHECK_EQ(send(client, "hi", 2, 0), 2);
  length = sizeof from;
  CHECK_EQ(recvfrom(server, text, 100, 0, (void *)&from, &length), 2);
  CHECK(length == my_size && memcmp(&from, &mine, length) == 0);
  CHECK_EQ(sendto(server, "back", 4, 0, (void *)&from, length), 4);
  CHECK_EQ(recv(client, text, 100, 0), 4);
  // No more than eleven wait for others.
  int sent = 0;
  while (send(client, "y", 1, 0) == 1) sent++;
  CHECK_EQ(sent, 11);
  CHECK_EQ(errno, EAGAIN);
  CHECK_EQ(events(client, 0), 0);
  CHECK_EQ(recv(server, text, 100, 0), 1);
  CHECK_EQ(events(client, 0), OUT);
  // Connected to somebody: others may not send.
  int other = socket(AF_UNIX, SOCK_DGRAM, 0);
  CHECK_ERRNO(sendto(other, "x", 1, 0, (void *)&mine, my_size), EPERM);
  CHECK_ERRNO(connect(other, (void *)&mine, my_size), EPERM);
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  CHECK_OK(connect(client, &none, sizeof none));
  CHECK_ERRNO(send(client, "x", 1, 0), ENOTCONN);
  CHECK_EQ(sendto(other, "x", 1, 0, (void *)&mine, my_size), 1);
  CHECK_EQ(recv(client, text, 10, 0), 1);
  int stream = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_ERRNO(connect(stream, (void *)&address, size), EPROTOTYPE);
  CHECK_OK(shutdown(server, SHUT_RD));
  CHECK_ERRNO(sendto(other, "x", 1, 0, (void *)&address, size), EPIPE);
  close(server);
  CHECK_ERRNO(sendto(other, "x", 1, 0, (void *)&address, size), ECONNREFUSED);
  unlink("server");
  close(stream);
  close(other);
  close(client);

  CHECK_OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
  CHECK_EQ(write(pair[0], "packet", 6), 6);
  CHECK_EQ(write(pair[0], "next", 4), 4);
  ioctl(pair[1], FIONREAD, &count);
  CHECK_EQ(count, 10);
  struct iovec vector = {text, 3};
  struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};
  CHECK_EQ(recvmsg(pair[1], &header, 0), 3);
  CHECK_EQ(header.msg_flags & ~MSG_EOR, MSG_TRUNC);
  CHECK_EQ(read(pair[1], text, 100), 4);
  CHECK_OK(shutdown(pair[0], SHUT_WR));
  CHECK_EQ(read(pair[1], text, 100), 0);
  CHECK_EQ(recv(pair[1], text, 100, MSG_DONTWAIT), 0);
  close(pair[1]);
  CHECK_EQ(events(pair[0], 0), IN | OUT | POLLRDHUP | POLLHUP);
  CHECK_ERRNO(send(pair[0], "x", 1, 0), EPIPE);
  close(pair[0]);
}

union control {
  struct cmsghdr header;
  char bytes[512];
};

static ssize_t send_files(int fd, const char *data, size_t length, const int *files, int count) {
  union control control;
  struct iovec vector = {(void *)data, length};
  struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control};
  header.msg_controllen = CMSG_SPACE(count * sizeof(int));
  memset(&control, 0, sizeof control);
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
  memcpy(CMSG_DATA(&control.header), files, count * sizeof(int));
  return sendmsg(fd, &header, 0);
}

static ssize_t receive_files(int fd, char *data, size_t length, int *files, int *count, size_t room, int flags,
                             int *result_flags) {
  union control control;
  struct iovec vector = {data, length};
  struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = room};
  ssize_t result = recvmsg(fd, &header, flags);
  *count = 0;
  if (result_flags) *result_flags = header.msg_flags;
  for (struct cmsghdr *c = result < 0 ? NULL : CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_type != SCM_RIGHTS) continue;
    *count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(files, CMSG_DATA(c), *count * sizeof(int));
  }
  return result;
}

static void descriptors(int type) {
  int pair[2], ends[2], got[64], count, flags;
  char text[100];
  CHECK_OK(socketpair(AF_UNIX, type, 0, pair));
  CHECK_OK(pipe(ends));
  CHECK_EQ(send_files(pair[0], "ab", 2, ends, 2), 2);
  CHECK_EQ(receive_files(pair[1], text, 100, got, &count, 512, MSG_CMSG_CLOEXEC, &flags), 2);
  CHECK_EQ(count, 2);
  CHECK_EQ(flags, MSG_CMSG_CLOEXEC);
  CHECK_EQ(fcntl(got[0], F_GETFD), FD_CLOEXEC);
  CHECK_EQ(write(got[1], "through", 7), 7);
  CHECK_EQ(read(ends[0], text, 100), 7);
  close(got[0]);
  close(got[1]);
  // Looking does not take.
  send_files(pair[0], "c", 1, ends, 1);
  CHECK_EQ(receive_files(pair[1], text, 100, got, &count, 512, MSG_PEEK, NULL), 1);
  CHECK_EQ(count, 1);
  close(got[0]);
  CHECK_EQ(receive_files(pair[1], text, 100, got, &count, 512, 0, NULL), 1);
  CHECK_EQ(count, 1);
  close(got[0]);
  // Too little room, and none.
  send_files(pair[0], "d", 1, ends, 2);
  CHECK_EQ(receive_files(pair[1], text, 100, got, &count, CMSG_LEN(sizeof(int)), 0, &flags), 1);
  CHECK_EQ(count, 1);
  CHECK_EQ(flags, MSG_CTRUNC);
  close(got[0]);
  send_files(pair[0], "e", 1, ends, 2);
  CHECK_EQ(receive_files(pair[1], text, 100, got, &count, 0, 0, &flags), 1);
  CHECK_EQ(flags, MSG_CTRUNC);
  send_files(pair[0], "f", 1, ends, 2);
  CHECK_EQ(read(pair[1], text, 100), 1);
  // A closed end stays open under way.
  send_files(pair[0], "g", 1, ends, 2);
  close(ends[0]);
  close(ends[1]);
  CHECK_EQ(receive_files(pair[1], text, 100, got, &count, 512, 0, NULL), 1);
  CHECK_EQ(write(got[1], "x", 1), 1);
  CHECK_EQ(read(got[0], text, 1), 1);
  int bad = 99;
  CHECK_ERRNO(send_files(pair[0], "h", 1, &bad, 1), EBADF);
  int many[64];
  for (int i = 0; i < 64; i++) many[i] = got[0];
  CHECK_EQ(send_files(pair[0], "i", 1, many, 64), 1);
  CHECK_EQ(receive_files(pair[1], text, 100, many, &count, 512, 0, NULL), 1);
  CHECK_EQ(count, 64);
  for (int i = 0; i < 64; i++) close(many[i]);
  if (type == SOCK_STREAM) {
    // Bytes before are read together with those that carry; those after are not.
    write(pair[0], "12", 2);
    send_files(pair[0], "34", 2, got, 1);
    write(pair[0], "56", 2);
    int more[4];
    CHECK_EQ(receive_files(pair[1], text, 100, more, &count, 512, 0, NULL), 4);
    CHECK_EQ(count, 1);
    close(more[0]);
    CHECK_EQ(read(pair[1], text, 100), 2);
  }
  close(got[0]);
  close(got[1]);

  // A socket goes through itself; one that nobody can receive is closed.
  send_files(pair[0], "j", 1, &pair[1], 1);
  CHECK_EQ(receive_files(pair[1], text, 100, got, &count, 512, 0, NULL), 1);
  struct stat a, b;
  fstat(pair[1], &a);
  fstat(got[0], &b);
  CHECK(a.st_ino == b.st_ino);
  close(pair[1]);
  CHECK_EQ(write(pair[0], "k", 1), 1);
  CHECK_EQ(read(got[0], text, 1), 1);
  send_files(pair[0], "l", 1, got, 1);
  close(got[0]);
  if (type != SOCK_DGRAM) {
    // Linux collects a little later.
    struct pollfd gone = {pair[0], 0, 0};
    CHECK_EQ(poll(&gone, 1, 5000), 1);
    CHECK(gone.revents & POLLHUP);
  }
  close(pair[0]);
  // Two pairs that hold each other, with a pipe's end in them.
  int first[2], second[2];
  socketpair(AF_UNIX, type, 0, first);
  socketpair(AF_UNIX, type, 0, second);
  pipe(ends);
  int held[2] = {second[1], ends[1]};
  send_files(first[0], "m", 1, held, 2);
  send_files(second[0], "n", 1, &first[1], 1);
  close(ends[1]);
  close(first[0]);
  close(first[1]);
  close(second[0]);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  CHECK_ERRNO(read(ends[0], text, 1), EAGAIN);
  close(second[1]);
  struct pollfd entry = {ends[0], POLLIN, 0};
  CHECK_EQ(poll(&entry, 1, 5000), 1);
  CHECK_EQ(read(ends[0], text, 1), 0);
  close(ends[0]);
  // A long chain, dropped at once.
  int last = -1;
  for (int i = 0; i < 300; i++) {
    int next[2];
    if (socketpair(AF_UNIX, type, 0, next) != 0) break;
    if (last >= 0) {
      send_files(next[0], "o", 1, &last, 1);
      close(last);
    }
    close(next[0]);
    last = next[1];
  }
  CHECK_OK(close(last));
}

static void credentials(void) {
  int pair[2], one = 1;
  char text[100];
  union control control;
  struct iovec vector = {text, 100};
  struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = 512};
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  write(pair[0], "before", 6);
  CHECK_OK(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one));
  write(pair[0], "after", 5);
  CHECK_EQ(recvmsg(pair[1], &header, 0), 6);
  struct ucred who;
  memcpy(&who, CMSG_DATA(&control.header), sizeof who);
  CHECK(control.header.cmsg_type == SCM_CREDENTIALS && control.header.cmsg_len == CMSG_LEN(12));
  CHECK(who.pid == 0 && who.uid == 65534 && who.gid == 65534);
  header.msg_controllen = 512;
  CHECK_EQ(recvmsg(pair[1], &header, 0), 5);
  memcpy(&who, CMSG_DATA(&control.header), sizeof who);
  CHECK(who.pid == getpid() && who.uid == getuid() && who.gid == getgid());
  CHECK_EQ(header.msg_controllen, 32);
  // Said by oneself.
  memset(&control, 0, sizeof control);
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_CREDENTIALS;
  control.header.cmsg_len = CMSG_LEN(sizeof who);
  memcpy(CMSG_DATA(&control.header), &who, sizeof who);
  header.msg_controllen = CMSG_SPACE(sizeof who);
  vector.iov_len = 3;
  CHECK_EQ(sendmsg(pair[0], &header, 0), 3);
  who.pid = 123456789;
  memcpy(CMSG_DATA(&control.header), &who, sizeof who);
  CHECK_ERRNO(sendmsg(pair[0], &header, 0), ESRCH);
  control.header.cmsg_len = CMSG_LEN(4);
  CHECK_ERRNO(sendmsg(pair[0], &header, 0), EINVAL);
  control.header.cmsg_type = 99;
  CHECK_ERRNO(sendmsg(pair[0], &header, 0), EINVAL);
  control.header.cmsg_len = 4;
  CHECK_ERRNO(sendmsg(pair[0], &header, 0), EINVAL);
  header.msg_controllen = 0;
  CHECK_EQ(recvmsg(pair[1], &header, 0), 3);
  CHECK_EQ(header.msg_flags, MSG_CTRUNC);
  header.msg_iovlen = 1025;
  CHECK_ERRNO(sendmsg(pair[0], &header, 0), EMSGSIZE);
  CHECK_RAW(EFAULT, SYS_sendmsg, pair[0], 8, 0);
  close(pair[0]);
  close(pair[1]);
}

static void several(void) {
  int pair[2];
  char text[4][10];
  struct iovec vector[4];
  struct mmsghdr messages[4];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < 4; i++) {
    memset(text[i], 'a' + i, 10);
    vector[i].iov_base = text[i];
    vector[i].iov_len = i + 1;
    messages[i].msg_hdr.msg_iov = &vector[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
  CHECK_EQ(sendmmsg(pair[0], messages, 4, 0), 4);
  CHECK(messages[0].msg_len == 1 && messages[3].msg_len == 4);
  for (int i = 0; i < 4; i++) vector[i].iov_len = 10;
  CHECK_EQ(recvmmsg(pair[1], messages, 3, 0, NULL), 3);
  CHECK(messages[0].msg_len == 1 && messages[2].msg_len == 3 && text[2][2] == 'c');
  CHECK_EQ(recvmmsg(pair[1], messages, 4, MSG_WAITFORONE, NULL), 1);
  CHECK_ERRNO(recvmmsg(pair[1], messages, 4, MSG_DONTWAIT, NULL), EAGAIN);
  struct timespec time = {0, -1};
  CHECK_ERRNO(recvmmsg(pair[1], messages, 4, 0, &time), EINVAL);
  close(pair[0]);
  close(pair[1]);
}

static void options(void) {
  int pair[2], value;
  socklen_t length = sizeof value;
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
#define GET(name) (length = sizeof value, value = -1, getsockopt(pair[0], SOL_SOCKET, name, &value, &length), value)
#define SET(name, number) (value = number, setsockopt(pair[0], SOL_SOCKET, name, &value, sizeof value))
  CHECK_EQ(GET(SO_TYPE), SOCK_STREAM);
  CHECK_EQ(GET(SO_DOMAIN), AF_UNIX);
  CHECK_EQ(GET(SO_PROTOCOL), 0);
  CHECK_EQ(GET(SO_ERROR), 0);
  CHECK_EQ(GET(SO_SNDBUF), 212992);
  CHECK_EQ(GET(SO_RCVBUF), 212992);
  CHECK_EQ(GET(SO_RCVLOWAT), 1);
  CHECK_EQ(GET(SO_SNDLOWAT), 1);
  CHECK_EQ(GET(SO_ACCEPTCONN), 0);
  CHECK_EQ(GET(SO_REUSEADDR), 0);
  CHECK_OK(SET(SO_REUSEADDR, 5));
  CHECK_EQ(GET(SO_REUSEADDR), 1);
  CHECK_OK(SET(SO_SNDBUF, 10000));
  CHECK_EQ(GET(SO_SNDBUF), 20000);
  CHECK_OK(SET(SO_SNDBUF, 1));
  CHECK_EQ(GET(SO_SNDBUF), 4608);
  CHECK_OK(SET(SO_RCVBUF, 0));
  CHECK_EQ(GET(SO_RCVBUF), 2304);
  CHECK_OK(SET(SO_PRIORITY, 6));
  CHECK_EQ(GET(SO_PRIORITY), 6);
  CHECK_ERRNO(SET(SO_TYPE, 1), ENOPROTOOPT);
  CHECK_ERRNO(SET(12345, 1), ENOPROTOOPT);
  CHECK_ERRNO(getsockopt(pair[0], SOL_SOCKET, 12345, &value, &length), ENOPROTOOPT);
  CHECK_ERRNO(setsockopt(pair[0], SOL_SOCKET, SO_REUSEADDR, &value, 3), EINVAL);
  CHECK_ERRNO(setsockopt(pair[0], 6, 1, &value, 4), EOPNOTSUPP);
  CHECK_ERRNO(getsockopt(pair[0], 6, 1, &value, &length), EOPNOTSUPP);
  char one = 9;
  length = 1;
  CHECK_OK(getsockopt(pair[0], SOL_SOCKET, SO_TYPE, &one, &length));
  CHECK(one == SOCK_STREAM && length == 1);
  struct linger linger = {1, 10}, back = {0, 0};
  CHECK_OK(setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
  length = 100;
  CHECK_OK(getsockopt(pair[0], SOL_SOCKET, SO_LINGER, &back, &length));
  CHECK(back.l_onoff == 1 && back.l_linger == 10 && length == sizeof back);
  CHECK_RAW(EFAULT, SYS_getsockopt, pair[0], SOL_SOCKET, SO_TYPE, &value, 8);

  // epoll hears of bytes and of room.
  int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = pair[1]};
  CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, pair[1], &event));
  CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 1);
  CHECK_EQ(event.events, EPOLLOUT);
  CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
  write(pair[0], "x", 1);
  CHECK_EQ(epoll_wait(epoll, &event, 1, 1000), 1);
  CHECK_EQ(event.events, EPOLLIN | EPOLLOUT);
  CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
  close(pair[0]);
  CHECK_EQ(epoll_wait(epoll, &event, 1, 1000), 1);
  CHECK(event.events & EPOLLHUP && event.events & EPOLLIN);
  close(epoll);
  close(pair[1]);
}

int main(void) {
  making();
  streams();
  names();
  datagrams();
  descriptors(SOCK_STREAM);
  descriptors(SOCK_DGRAM);
  descriptors(SOCK_SEQPACKET);
  credentials();
  several();
  options();
  CHECK_END();
}
