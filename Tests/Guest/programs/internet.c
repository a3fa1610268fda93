// Sockets of the Internet by way of the loopback interface: TCP, UDP, both versions of IP, options, errors, readiness.
#include "../check.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define LOOPBACK 0x7f000001u

static struct sockaddr_in at(uint32_t address, int port) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  name.sin_addr.s_addr = htonl(address);
  return name;
}
static int try_bind(int fd, struct sockaddr_in name) { return bind(fd, (struct sockaddr *)&name, sizeof name); }
static int try_connect(int fd, struct sockaddr_in name) { return connect(fd, (struct sockaddr *)&name, sizeof name); }
static struct sockaddr_in name_of(int fd) {
  struct sockaddr_in name = {0};
  socklen_t size = sizeof name;
  getsockname(fd, (struct sockaddr *)&name, &size);
  return name;
}
static struct sockaddr_in peer_of(int fd) {
  struct sockaddr_in name = {0};
  socklen_t size = sizeof name;
  getpeername(fd, (struct sockaddr *)&name, &size);
  return name;
}
static int option(int fd, int level, int number) {
  int value = -1;
  socklen_t size = sizeof value;
  return getsockopt(fd, level, number, &value, &size) == 0 ? value : -1;
}
static int set(int fd, int level, int number, int value) { return setsockopt(fd, level, number, &value, sizeof value); }
static int events_of(int fd, int wanted, int milliseconds) {
  struct pollfd entry = {.fd = fd, .events = (short)wanted};
  return poll(&entry, 1, milliseconds) < 0 ? -1 : entry.revents;
}
static int listener(struct sockaddr_in *name) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  *name = at(LOOPBACK, 0);
  if (try_bind(fd, *name) || listen(fd, 8)) return -1;
  *name = name_of(fd);
  return fd;
}
// Two ends of a connection.
static void connection(int ends[2]) {
  struct sockaddr_in name;
  int waiting = listener(&name);
  ends[0] = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_THAT("connect", try_connect(ends[0], name) == 0);
  ends[1] = accept(waiting, NULL, NULL);
  close(waiting);
}
static void close_both(int ends[2]) {
  close(ends[0]);
  close(ends[1]);
}

static void making(void) {
  CHECK_ERRNO(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
  CHECK_ERRNO(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
  CHECK_ERRNO(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
  CHECK_ERRNO(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
  CHECK_ERRNO(socket(AF_INET, SOCK_STREAM, 300), EINVAL);
  CHECK_ERRNO(socket(AF_INET, 77, 0), EINVAL);
  CHECK_ERRNO(socket(99, SOCK_STREAM, 0), EAFNOSUPPORT);
  int pair[2];
  CHECK_ERRNO(socketpair(AF_INET, SOCK_STREAM, 0, pair), EOPNOTSUPP);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  CHECK_EQ(option(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
  CHECK_EQ(option(fd, SOL_SOCKET, SO_DOMAIN), AF_INET);
  CHECK_EQ(option(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
  CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
  CHECK_EQ(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
  CHECK_OK(set(fd, IPPROTO_TCP, TCP_NODELAY, 1));
  CHECK_EQ(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
  CHECK_EQ(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 7200);
  CHECK_OK(set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60));
  CHECK_ERRNO(set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 0), EINVAL);
  CHECK_EQ(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
  CHECK_EQ(option(fd, IPPROTO_IP, IP_TTL), 64);
  CHECK_OK(set(fd, IPPROTO_IP, IP_TTL, 9));
  CHECK_EQ(option(fd, IPPROTO_IP, IP_TTL), 9);
  CHECK_ERRNO(set(fd, IPPROTO_IP, IP_TTL, 256), EINVAL);
  CHECK_OK(set(fd, SOL_SOCKET, SO_KEEPALIVE, 1));
  CHECK_EQ(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  CHECK_ERRNO(set(fd, IPPROTO_TCP, 999, 1), ENOPROTOOPT);
  CHECK_ERRNO(set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1), ENOPROTOOPT);
  CHECK_EQ(events_of(fd, POLLIN | POLLOUT, 0), POLLOUT | POLLHUP);
  char byte;
  CHECK_ERRNO(recv(fd, &byte, 1, 0), ENOTCONN);
  CHECK_ERRNO(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
  CHECK_ERRNO(shutdown(fd, SHUT_WR), ENOTCONN);
  CHECK_ERRNO(accept(fd, NULL, NULL), EINVAL);
  struct sockaddr_in name;
  socklen_t size = sizeof name;
  CHECK_ERRNO(getpeername(fd, (struct sockaddr *)&name, &size), ENOTCONN);
  CHECK_EQ(name_of(fd).sin_port, 0);
  close(fd);
}

static void binding(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in name = at(LOOPBACK, 0);
  CHECK_ERRNO(bind(fd, (struct sockaddr *)&name, 8), EINVAL);
  struct sockaddr_in wrong = name;
  wrong.sin_family = AF_INET6;
  CHECK_ERRNO(try_bind(fd, wrong), EAFNOSUPPORT);
  CHECK_ERRNO(try_bind(fd, at(0xc0000207, 0)), EADDRNOTAVAIL);
  CHECK_OK(try_bind(fd, name));
  name = name_of(fd);
  CHECK(name.sin_port != 0 && name.sin_addr.s_addr == htonl(LOOPBACK));
  CHECK_ERRNO(try_bind(fd, at(LOOPBACK, 0)), EINVAL);
  CHECK_ERRNO(try_bind(other, name), EADDRINUSE);
  CHECK_OK(listen(fd, 1));
  CHECK_ERRNO(try_bind(other, at(INADDR_ANY, ntohs(name.sin_port))), EADDRINUSE);
  CHECK_OK(set(other, SOL_SOCKET, SO_REUSEADDR, 1));
  CHECK_ERRNO(try_bind(other, name), EADDRINUSE);
  CHECK_EQ(option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
  close(fd);
  CHECK_OK(try_bind(other, name));
  close(other);
  // Datagrams have ports of their own.
  int datagram = socket(AF_INET, SOCK_DGRAM, 0);
  int stream = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_OK(try_bind(datagram, at(LOOPBACK, 0)));
  CHECK_OK(try_bind(stream, name_of(datagram)));
  int third = socket(AF_INET, SOCK_DGRAM, 0);
  CHECK_ERRNO(try_bind(third, name_of(datagram)), EADDRINUSE);
  close(datagram), close(stream), close(third);
}

static void streams(void) {
  int ends[2];
  connection(ends);
  CHECK_EQ(peer_of(ends[0]).sin_port, name_of(ends[1]).sin_port);
  CHECK_EQ(peer_of(ends[1]).sin_port, name_of(ends[0]).sin_port);
  CHECK_EQ(peer_of(ends[1]).sin_addr.s_addr, htonl(LOOPBACK));
  CHECK_ERRNO(try_connect(ends[0], at(LOOPBACK, 1)), EISCONN);
  CHECK_EQ(events_of(ends[0], POLLIN | POLLOUT, 0), POLLOUT);
  CHECK_EQ(write(ends[0], "hello", 5), 5);
  CHECK_EQ(events_of(ends[1], POLLIN | POLLOUT, 1000), POLLIN | POLLOUT);
  int count = -1;
  CHECK_OK(ioctl(ends[1], FIONREAD, &count));
  CHECK_EQ(count, 5);
  char text[64] = "";
  CHECK_EQ(recv(ends[1], text, 3, MSG_PEEK), 3);
  CHECK_EQ(recv(ends[1], text, sizeof text, 0), 5);
  CHECK(memcmp(text, "hello", 5) == 0);
  CHECK_ERRNO(recv(ends[1], text, sizeof text, MSG_DONTWAIT), EAGAIN);
  CHECK_ERRNO(recv(ends[1], text, sizeof text, MSG_OOB), EINVAL);
  CHECK_EQ(write(ends[1], "abcdef", 6), 6);
  CHECK_EQ(recv(ends[0], NULL, 2, MSG_TRUNC), 2);
  CHECK_EQ(recv(ends[0], text, 4, MSG_WAITALL), 4);
  CHECK(memcmp(text, "cdef", 4) == 0);
  struct timeval time = {.tv_usec = 20000};
  CHECK_OK(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
  CHECK_ERRNO(recv(ends[0], text, 1, 0), EAGAIN);
  CHECK_OK(shutdown(ends[0], SHUT_WR));
  CHECK_ERRNO(send(ends[0], "x", 1, MSG_NOSIGNAL), EPIPE);
  CHECK_EQ(events_of(ends[1], POLLIN | POLLRDHUP | POLLOUT, 1000), POLLIN | POLLRDHUP | POLLOUT);
  CHECK_EQ(read(ends[1], text, 1), 0);
  CHECK_EQ(write(ends[1], "late", 4), 4);
  CHECK_EQ(read(ends[0], text, sizeof text), 4);
  close(ends[1]);
  CHECK_EQ(events_of(ends[0], POLLIN | POLLRDHUP | POLLOUT, 1000), POLLIN | POLLRDHUP | POLLOUT | POLLHUP);
  CHECK_EQ(read(ends[0], text, 1), 0);
  close(ends[0]);

  // What ends badly.
  connection(ends);
  struct linger linger = {1, 0};
  CHECK_OK(setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
  close(ends[1]);
  CHECK(events_of(ends[0], POLLIN, 1000) & POLLERR);
  CHECK_ERRNO(read(ends[0], text, 1), ECONNRESET);
  CHECK_EQ(read(ends[0], text, 1), 0);
  CHECK_ERRNO(send(ends[0], "x", 1, MSG_NOSIGNAL), EPIPE);
  close(ends[0]);
  connection(ends);
  CHECK_EQ(write(ends[0], "unread", 6), 6);
  CHECK(events_of(ends[1], POLLIN, 1000) & POLLIN);
  close(ends[1]);
  CHECK(events_of(ends[0], POLLIN, 1000) & POLLERR);
  CHECK_EQ(option(ends[0], SOL_SOCKET, SO_ERROR), ECONNRESET);
  CHECK_EQ(option(ends[0], SOL_SOCKET, SO_ERROR), 0);
  close(ends[0]);
}

static void refused(void) {
  struct sockaddr_in name;
  int fd = listener(&name);
  close(fd);
  fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_ERRNO(try_connect(fd, name), ECONNREFUSED);
  close(fd);
  fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  CHECK_ERRNO(try_connect(fd, name), EINPROGRESS);
  CHECK(events_of(fd, POLLOUT, 1000) & (POLLERR | POLLHUP));
  CHECK_EQ(option(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
  close(fd);
  int waiting = listener(&name);
  fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  CHECK_ERRNO(try_connect(fd, name), EINPROGRESS);
  CHECK_EQ(events_of(fd, POLLOUT, 1000), POLLOUT);
  CHECK_EQ(option(fd, SOL_SOCKET, SO_ERROR), 0);
  CHECK_OK(try_connect(fd, name));
  CHECK_ERRNO(try_connect(fd, name), EISCONN);
  CHECK_EQ(events_of(waiting, POLLIN, 1000), POLLIN);
  struct sockaddr_in from;
  socklen_t size = sizeof from;
  int taken = accept4(waiting, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  CHECK_EQ(size, sizeof from);
  CHECK_EQ(from.sin_port, name_of(fd).sin_port);
  CHECK_EQ(fcntl(taken, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
  fcntl(waiting, F_SETFL, O_NONBLOCK);
  CHECK_ERRNO(accept(waiting, NULL, NULL), EAGAIN);
  CHECK_ERRNO(recv(waiting, &size, 1, 0), ENOTCONN);
  close(taken), close(fd), close(waiting);
}

static uint32_t next(uint32_t *state) { return *state = *state * 1664525 + 1013904223; }

// Many bytes from one process to another, in pieces of many sizes.
static void bulk(void) {
  enum { TOTAL = 8 << 20 };
  struct sockaddr_in name;
  int waiting = listener(&name);
  pid_t child = fork();
  if (child == 0) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (try_connect(fd, name)) _exit(1);
    static unsigned char piece[100000];
    uint32_t sizes = 1, bytes = 2;
    for (int left = TOTAL; left > 0;) {
      int count = (int)(next(&sizes) >> 8) % (int)sizeof piece + 1;
      if (count > left) count = left;
      for (int i = 0; i < count; i++) piece[i] = (unsigned char)(next(&bytes) >> 24);
      for (int done = 0; done < count;) {
        ssize_t written = write(fd, piece + done, (size_t)(count - done));
        if (written <= 0) _exit(2);
        done += (int)written;
      }
      left -= count;
    }
    _exit(0);
  }
  int fd = accept(waiting, NULL, NULL);
  static unsigned char piece[70000];
  uint32_t bytes = 2;
  int total = 0, wrong = 0;
  ssize_t got;
  while ((got = read(fd, piece, sizeof piece)) > 0) {
    for (ssize_t i = 0; i < got; i++) wrong += piece[i] != (unsigned char)(next(&bytes) >> 24);
    total += (int)got;
  }
  CHECK_EQ(total, TOTAL);
  CHECK_EQ(wrong, 0);
  int status;
  waitpid(child, &status, 0);
  CHECK_EQ(status, 0);
  close(fd), close(waiting);
}

// A sender that nobody reads from gets full, and goes on when somebody does; files go by sendfile(2).
static void full(void) {
  int ends[2];
  connection(ends);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  static char piece[65536];
  long sent = 0;
  for (ssize_t got; (got = write(ends[0], piece, sizeof piece)) > 0;) sent += got;
  CHECK_EQ(errno, EAGAIN);
  CHECK(sent >= 65536);
  CHECK_EQ(events_of(ends[0], POLLOUT, 0), 0);
  long received = 0;
  while (received < sent) {
    ssize_t got = read(ends[1], piece, sizeof piece);
    if (got <= 0) break;
    received += got;
  }
  CHECK_EQ(received, sent);
  CHECK_EQ(events_of(ends[0], POLLOUT, 1000), POLLOUT);
  int file = open("/tmp/sent", O_RDWR | O_CREAT | O_TRUNC, 0600);
  memset(piece, 'f', sizeof piece);
  CHECK_EQ(write(file, piece, sizeof piece), sizeof piece);
  fcntl(ends[0], F_SETFL, 0);
  off_t offset = 0;
  CHECK_EQ(sendfile(ends[0], file, &offset, 30000), 30000);
  CHECK_EQ(recv(ends[1], piece, 30000, MSG_WAITALL), 30000);
  CHECK(piece[0] == 'f' && piece[29999] == 'f');
  close(file);
  unlink("/tmp/sent");
  close_both(ends);
}

static void datagrams(void) {
  int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
  CHECK_OK(try_bind(b, at(LOOPBACK, 0)));
  struct sockaddr_in to = name_of(b);
  CHECK_ERRNO(send(a, "x", 1, 0), EDESTADDRREQ);
  CHECK_EQ(sendto(a, "one", 3, 0, (struct sockaddr *)&to, sizeof to), 3);
  CHECK_EQ(sendto(a, "", 0, 0, (struct sockaddr *)&to, sizeof to), 0);
  CHECK_EQ(sendto(a, "three", 5, 0, (struct sockaddr *)&to, sizeof to), 5);
  CHECK(name_of(a).sin_port != 0);
  char text[16];
  struct sockaddr_in from;
  socklen_t size = sizeof from;
  CHECK_EQ(events_of(b, POLLIN, 1000), POLLIN);
  CHECK_EQ(recvfrom(b, text, sizeof text, 0, (struct sockaddr *)&from, &size), 3);
  CHECK_EQ(from.sin_port, name_of(a).sin_port);
  CHECK_EQ(recv(b, text, sizeof text, 0), 0);
  CHECK_EQ(recv(b, text, 2, MSG_PEEK | MSG_TRUNC), 5);
  struct iovec part = {text, 2};
  struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
  CHECK_EQ(recvmsg(b, &header, 0), 2);
  CHECK_EQ(header.msg_flags, MSG_TRUNC);
  CHECK_ERRNO(recv(b, text, 1, MSG_DONTWAIT), EAGAIN);
  // A connected one hears nobody else.
  CHECK_OK(try_connect(b, name_of(a)));
  int c = socket(AF_INET, SOCK_DGRAM, 0);
  CHECK_EQ(sendto(c, "no", 2, 0, (struct sockaddr *)&to, sizeof to), 2);
  CHECK_ERRNO(try_bind(a, at(LOOPBACK, 0)), EINVAL);
  CHECK_ERRNO(recv(b, text, 1, MSG_DONTWAIT), EAGAIN);
  CHECK_EQ(peer_of(b).sin_port, name_of(a).sin_port);
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  CHECK_OK(connect(b, &none, sizeof none));
  struct sockaddr_in peer;
  size = sizeof peer;
  CHECK_ERRNO(getpeername(b, (struct sockaddr *)&peer, &size), ENOTCONN);
  // Its port was not one that it had asked for.
  CHECK_EQ(name_of(b).sin_port, 0);
  CHECK_OK(try_bind(b, to));
  // Sizes.
  static char large[65536];
  CHECK_ERRNO(sendto(a, large, 65508, 0, (struct sockaddr *)&to, sizeof to), EMSGSIZE);
  CHECK_EQ(sendto(a, large, 65507, 0, (struct sockaddr *)&to, sizeof to), 65507);
  CHECK_EQ(recv(b, large, sizeof large, 0), 65507);
  // Nobody there.
  struct sockaddr_in gone = name_of(c);
  gone.sin_addr.s_addr = htonl(LOOPBACK);
  close(c);
  CHECK_OK(try_connect(b, gone));
  CHECK_EQ(send(b, "x", 1, 0), 1);
  CHECK(events_of(b, POLLIN, 1000) & POLLERR);
  CHECK_ERRNO(recv(b, text, 1, 0), ECONNREFUSED);
  CHECK_ERRNO(recv(b, text, 1, MSG_DONTWAIT), EAGAIN);
  struct sockaddr_in all = at(0xffffffffu, 9);
  CHECK_ERRNO(sendto(a, "x", 1, 0, (struct sockaddr *)&all, sizeof all), EACCES);
  struct sockaddr_in nowhere = to;
  nowhere.sin_port = 0;
  CHECK_ERRNO(sendto(a, "x", 1, 0, (struct sockaddr *)&nowhere, sizeof nowhere), EINVAL);
  CHECK_ERRNO(sendto(a, "x", 1, 0, (struct sockaddr *)&to, 4), EINVAL);
  CHECK_ERRNO(listen(a, 1), EOPNOTSUPP);
  CHECK_ERRNO(accept(a, NULL, NULL), EOPNOTSUPP);
  close(a), close(b);
}

static void information(void) {
  int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
  try_bind(b, at(LOOPBACK, 0));
  struct sockaddr_in to = name_of(b);
  CHECK_OK(set(b, IPPROTO_IP, IP_PKTINFO, 1));
  CHECK_OK(set(b, IPPROTO_IP, IP_RECVTTL, 1));
  CHECK_OK(set(a, IPPROTO_IP, IP_TTL, 33));
  CHECK_EQ(sendto(a, "x", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
  char text[8];
  union {
    char bytes[256];
    struct cmsghdr header;
  } control;
  struct iovec part = {text, sizeof text};
  struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = 256};
  CHECK_EQ(recvmsg(b, &header, 0), 1);
  int interface = 0, hops = 0;
  uint32_t address = 0;
  for (struct cmsghdr *item = CMSG_FIRSTHDR(&header); item; item = CMSG_NXTHDR(&header, item)) {
    if (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_PKTINFO) {
      struct in_pktinfo found;
      memcpy(&found, CMSG_DATA(item), sizeof found);
      interface = found.ipi_ifindex;
      address = found.ipi_addr.s_addr;
    }
    if (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_TTL) memcpy(&hops, CMSG_DATA(item), sizeof hops);
  }
  CHECK_EQ(interface, (int)if_nametoindex("lo"));
  CHECK_EQ(address, htonl(LOOPBACK));
  CHECK_EQ(hops, 33);
  close(a), close(b);
}

static void version6(void) {
  int waiting = socket(AF_INET6, SOCK_STREAM, 0);
  CHECK_EQ(option(waiting, IPPROTO_IPV6, IPV6_V6ONLY), 0);
  struct sockaddr_in6 name = {.sin6_family = AF_INET6};
  CHECK_OK(bind(waiting, (struct sockaddr *)&name, sizeof name));
  CHECK_ERRNO(set(waiting, IPPROTO_IPV6, IPV6_V6ONLY, 1), EINVAL);
  CHECK_OK(listen(waiting, 4));
  socklen_t size = sizeof name;
  CHECK_OK(getsockname(waiting, (struct sockaddr *)&name, &size));
  CHECK_EQ(size, sizeof name);
  name.sin6_addr = in6addr_loopback;
  int fd = socket(AF_INET6, SOCK_STREAM, 0);
  CHECK_OK(connect(fd, (struct sockaddr *)&name, sizeof name));
  struct sockaddr_in6 from;
  size = sizeof from;
  int taken = accept(waiting, (struct sockaddr *)&from, &size);
  CHECK(IN6_IS_ADDR_LOOPBACK(&from.sin6_addr));
  CHECK_EQ(write(fd, "six", 3), 3);
  char text[8];
  CHECK_EQ(read(taken, text, sizeof text), 3);
  close(fd), close(taken);
  // One of IPv4, as the one of IPv6 sees it.
  fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_OK(try_connect(fd, at(LOOPBACK, ntohs(name.sin6_port))));
  size = sizeof from;
  taken = accept(waiting, (struct sockaddr *)&from, &size);
  CHECK(IN6_IS_ADDR_V4MAPPED(&from.sin6_addr));
  CHECK_EQ(write(taken, "four", 4), 4);
  CHECK_EQ(read(fd, text, sizeof text), 4);
  close(fd), close(taken), close(waiting);

  int only = socket(AF_INET6, SOCK_STREAM, 0), both = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_OK(set(only, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  name = (struct sockaddr_in6){.sin6_family = AF_INET6};
  CHECK_OK(bind(only, (struct sockaddr *)&name, sizeof name));
  size = sizeof name;
  getsockname(only, (struct sockaddr *)&name, &size);
  CHECK_OK(try_bind(both, at(INADDR_ANY, ntohs(name.sin6_port))));
  close(only), close(both);

  int a = socket(AF_INET6, SOCK_DGRAM, 0), b = socket(AF_INET6, SOCK_DGRAM, 0);
  name = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
  CHECK_OK(bind(b, (struct sockaddr *)&name, sizeof name));
  size = sizeof name;
  getsockname(b, (struct sockaddr *)&name, &size);
  CHECK_EQ(sendto(a, "six", 3, 0, (struct sockaddr *)&name, sizeof name), 3);
  CHECK_EQ(recv(b, text, sizeof text, 0), 3);
  close(a), close(b);
}

// Several processes take connections of one socket; epoll tells of each.
static void sharing(void) {
  enum { SERVERS = 3, CLIENTS = 12 };
  struct sockaddr_in name;
  int waiting = listener(&name);
  pid_t servers[SERVERS];
  for (int i = 0; i < SERVERS; i++) {
    if ((servers[i] = fork()) == 0) {
      for (;;) {
        int fd = accept(waiting, NULL, NULL);
        char text[16];
        ssize_t got = read(fd, text, sizeof text);
        if (got <= 0) _exit(1);
        if (text[0] == 'q') _exit(0);
        for (ssize_t j = 0; j < got; j++) text[j] ^= 0x20;
        if (write(fd, text, (size_t)got) != got) _exit(2);
        close(fd);
      }
    }
  }
  int set_of = epoll_create1(0), clients[CLIENTS];
  for (int i = 0; i < CLIENTS; i++) {
    clients[i] = socket(AF_INET, SOCK_STREAM, 0);
    if (try_connect(clients[i], name)) say("connect %d failed", i);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = clients[i]};
    epoll_ctl(set_of, EPOLL_CTL_ADD, clients[i], &event);
    if (write(clients[i], "hello", 5) != 5) say("write %d failed", i);
  }
  int answers = 0;
  while (answers < CLIENTS) {
    struct epoll_event event;
    if (epoll_wait(set_of, &event, 1, 5000) != 1) break;
    char text[16];
    if (read(event.data.fd, text, sizeof text) == 5 && memcmp(text, "HELLO", 5) == 0) answers++;
    epoll_ctl(set_of, EPOLL_CTL_DEL, event.data.fd, NULL);
    close(event.data.fd);
  }
  CHECK_EQ(answers, CLIENTS);
  int good = 0;
  for (int i = 0; i < SERVERS; i++) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    try_connect(fd, name);
    if (write(fd, "q", 1) != 1) say("write failed");
    int status;
    waitpid(-1, &status, 0);
    good += status == 0;
    close(fd);
  }
  CHECK_EQ(good, SERVERS);
  close(waiting), close(set_of);
}

static void interfaces(void) {
  struct ifaddrs *list = NULL;
  CHECK_OK(getifaddrs(&list));
  int has4 = 0, has6 = 0;
  for (struct ifaddrs *entry = list; entry; entry = entry->ifa_next) {
    if (strcmp(entry->ifa_name, "lo") || !entry->ifa_addr) continue;
    if (entry->ifa_addr->sa_family == AF_INET)
      has4 += ((struct sockaddr_in *)entry->ifa_addr)->sin_addr.s_addr == htonl(LOOPBACK);
    if (entry->ifa_addr->sa_family == AF_INET6)
      has6 += !!IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)entry->ifa_addr)->sin6_addr);
  }
  CHECK_EQ(has4, 1);
  CHECK_EQ(has6, 1);
  freeifaddrs(list);
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct ifreq request = {.ifr_name = "lo"};
  CHECK_OK(ioctl(fd, SIOCGIFFLAGS, &request));
  CHECK_EQ(request.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING), IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
  CHECK_OK(ioctl(fd, SIOCGIFADDR, &request));
  CHECK_EQ(((struct sockaddr_in *)&request.ifr_addr)->sin_addr.s_addr, htonl(LOOPBACK));
  CHECK_OK(ioctl(fd, SIOCGIFMTU, &request));
  CHECK_EQ(request.ifr_mtu, 65536);
  CHECK_OK(ioctl(fd, SIOCGIFNETMASK, &request));
  CHECK_EQ(((struct sockaddr_in *)&request.ifr_addr)->sin_addr.s_addr, htonl(0xff000000));
  strcpy(request.ifr_name, "none7");
  CHECK_ERRNO(ioctl(fd, SIOCGIFADDR, &request), ENODEV);
  CHECK_EQ(if_nametoindex("lo"), 1);
  close(fd);
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  making();
  binding();
  streams();
  refused();
  bulk();
  full();
  datagrams();
  information();
  version6();
  sharing();
  interfaces();
  CHECK_END();
}
