// The flat functions of clwip.h over lwIP's raw interface.
#include "clwip.h"

#include <lwip/dhcp.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/icmp.h>
#include <lwip/igmp.h>
#include <lwip/init.h>
#include <lwip/ip.h>
#include <lwip/mld6.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/icmp6.h>
#include <lwip/raw.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <lwip/udp.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_INTERFACES = 8, FIRST_ETHERNET = 2 };

static struct netif interfaces[MOST_INTERFACES];
static int interface_count;

u32_t sys_now(void) { return network_now(); }
uint32_t clwip_random(void) { return network_random(); }

// MARK: Memory

// In front of each block: its size. The block keeps the heap's alignment.
struct prefix {
  _Alignas(16) unsigned long count;
};
static uint64_t used;

void *clwip_allocate(unsigned long count) {
  struct prefix *block = malloc(sizeof *block + count);
  if (!block) return NULL;
  block->count = count;
  used += count;
  return block + 1;
}

void *clwip_allocate_zeroed(unsigned long count, unsigned long size) {
  void *block = clwip_allocate(count * size);
  return block ? memset(block, 0, count * size) : NULL;
}

void clwip_free(void *block) {
  struct prefix *start = (struct prefix *)block - 1;
  used -= start->count;
  free(start);
}

uint64_t clwip_used(void) { return used; }

// MARK: Errors and addresses

enum {
  EIO = 5,
  EAGAIN = 11,
  ENOMEM = 12,
  EINVAL = 22,
  EADDRINUSE = 98,
  ENETUNREACH = 101,
  ECONNABORTED = 103,
  ECONNRESET = 104,
  ENOBUFS = 105,
  EISCONN = 106,
  ENOTCONN = 107,
  ETIMEDOUT = 110,
  ECONNREFUSED = 111,
  EHOSTUNREACH = 113,
  EALREADY = 114,
};

static int errno_of(err_t error) {
  switch (error) {
  case ERR_OK: return 0;
  case ERR_MEM: return ENOMEM;
  case ERR_BUF: return ENOBUFS;
  // A connection that gets no answer.
  case ERR_ABRT:
  case ERR_TIMEOUT: return ETIMEDOUT;
  case ERR_RTE: return ENETUNREACH;
  case ERR_WOULDBLOCK: return EAGAIN;
  case ERR_USE: return EADDRINUSE;
  case ERR_ALREADY: return EALREADY;
  case ERR_ISCONN: return EISCONN;
  case ERR_CONN:
  case ERR_CLSD: return ENOTCONN;
  case ERR_RST: return ECONNRESET;
  case ERR_IF: return EHOSTUNREACH;
  default: return EINVAL;
  }
}

static ip_addr_t address_of(const clwip_endpoint *endpoint) {
  ip_addr_t address;
  memset(&address, 0, sizeof address);
  if (endpoint->version == 4) {
    ip_addr_set_ip4_u32_val(address, (u32_t)endpoint->low);
  } else if (endpoint->version == 6) {
    uint64_t words[2] = {endpoint->high, endpoint->low};
    memcpy(ip_2_ip6(&address)->addr, words, 16);
    ip6_addr_set_zone(ip_2_ip6(&address), endpoint->zone);
    IP_SET_TYPE_VAL(address, IPADDR_TYPE_V6);
  } else {
    IP_SET_TYPE_VAL(address, IPADDR_TYPE_ANY);
  }
  return address;
}

static clwip_endpoint endpoint_of(const ip_addr_t *address, u16_t port) {
  clwip_endpoint endpoint = {.port = port};
  if (IP_IS_V4(address)) {
    endpoint.version = 4;
    endpoint.low = ip4_addr_get_u32(ip_2_ip4(address));
  } else {
    uint64_t words[2];
    memcpy(words, ip_2_ip6(address)->addr, 16);
    endpoint.version = IP_IS_ANY_TYPE_VAL(*address) ? 0 : 6;
    endpoint.high = words[0];
    endpoint.low = words[1];
    endpoint.zone = ip6_addr_zone(ip_2_ip6(address));
  }
  return endpoint;
}

static u8_t type_of(uint8_t version) {
  return version == 4 ? IPADDR_TYPE_V4 : version == 6 ? IPADDR_TYPE_V6 : IPADDR_TYPE_ANY;
}

int clwip_is_local(const clwip_endpoint *endpoint) {
  ip_addr_t address = address_of(endpoint);
  if (ip_addr_isany(&address) || ip_addr_ismulticast(&address)) return 1;
  if (endpoint->version == 4 && ip4_addr_isloopback(ip_2_ip4(&address))) return 1;
  struct netif *interface;
  NETIF_FOREACH(interface) {
    if (endpoint->version == 4) {
      if (ip4_addr_cmp(ip_2_ip4(&address), netif_ip4_addr(interface))) return 1;
      if (ip4_addr_isbroadcast(ip_2_ip4(&address), interface)) return 1;
    } else {
      for (int i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++)
        if (ip6_addr_isvalid(netif_ip6_addr_state(interface, i)) &&
            ip6_addr_cmp_zoneless(ip_2_ip6(&address), netif_ip6_addr(interface, i)))
          return 1;
    }
  }
  return 0;
}

int clwip_source_for(const clwip_endpoint *to, clwip_endpoint *source) {
  ip_addr_t destination = address_of(to);
  const ip_addr_t any = {.type = IP_GET_TYPE(&destination)};
  struct netif *interface = ip_route(&any, &destination);
  if (!interface) return ENETUNREACH;
  const ip_addr_t *address = ip_netif_get_local_ip(interface, &destination);
  if (!address || ip_addr_isany(address)) return ENETUNREACH;
  *source = endpoint_of(address, 0);
  return 0;
}

// MARK: The stack

void clwip_start(void) { lwip_init(); }
void clwip_poll(void) { netif_poll_all(); }

// Connections that have ended and wait for late packets: more than this are forgotten, the oldest first, as
// net.ipv4.tcp_max_tw_buckets has it.
enum { MOST_ENDED = 4096 };

static void forget_ended(void) {
  int count = 0;
  for (struct tcp_pcb *pcb = tcp_tw_pcbs, *next; pcb; pcb = next) {
    next = pcb->next;
    if (++count > MOST_ENDED) tcp_abort(pcb);
  }
}

uint32_t clwip_run_timers(void) {
  sys_check_timeouts();
  forget_ended();
  u32_t time = sys_timeouts_sleeptime();
  return time == SYS_TIMEOUTS_SLEEPTIME_INFINITE ? UINT32_MAX : time;
}

// MARK: Interfaces

static struct netif *interface_of(int number) { return netif_get_by_index((u8_t)number); }

static err_t transmit(struct netif *interface, struct pbuf *packet) {
  return network_transmit(netif_get_index(interface), (clwip_handle)packet, packet->tot_len) ? ERR_IF : ERR_OK;
}

static err_t start_interface(struct netif *interface) {
  interface->name[0] = 'e';
  interface->name[1] = 't';
  interface->output = etharp_output;
  interface->output_ip6 = ethip6_output;
  interface->linkoutput = transmit;
  interface->hwaddr_len = ETH_HWADDR_LEN;
  interface->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
  return ERR_OK;
}

static void changed(struct netif *interface) { network_changed(netif_get_index(interface)); }

int clwip_interface_add(uint64_t mac, uint16_t mtu) {
  if (interface_count == MOST_INTERFACES) return 0;
  struct netif *interface = &interfaces[interface_count++];
  netif_add(interface, NULL, NULL, NULL, NULL, start_interface, netif_input);
  memcpy(interface->hwaddr, &mac, ETH_HWADDR_LEN);
  interface->mtu = mtu;
  interface->mtu6 = mtu;
  netif_set_status_callback(interface, changed);
  netif_create_ip6_linklocal_address(interface, 1);
  netif_set_ip6_autoconfig_enabled(interface, 1);
  if (!netif_default) netif_set_default(interface);
  return netif_get_index(interface);
}

void clwip_interface_configure(int number, uint32_t address, uint32_t mask, uint32_t gateway) {
  struct netif *interface = interface_of(number);
  if (!interface) return;
  const ip4_addr_t values[] = {{address}, {mask}, {gateway}};
  netif_set_addr(interface, &values[0], &values[1], &values[2]);
  netif_set_up(interface);
}

int clwip_interface_use_dhcp(int number, const char *hostname) {
  struct netif *interface = interface_of(number);
  if (!interface) return EINVAL;
  if (hostname) netif_set_hostname(interface, hostname);
  netif_set_up(interface);
  return errno_of(dhcp_start(interface));
}

void clwip_interface_set_link(int number, int is_up) {
  struct netif *interface = interface_of(number);
  if (!interface) return;
  if (is_up)
    netif_set_link_up(interface);
  else
    netif_set_link_down(interface);
}

int clwip_interface_describe(int number, clwip_interface *result) {
  struct netif *interface = interface_of(number);
  if (!interface) return 0;
  memset(result, 0, sizeof *result);
  int is_loopback = interface->name[0] == 'l';
  memcpy(result->mac, interface->hwaddr, interface->hwaddr_len);
  // What Linux says of its own.
  result->mtu = is_loopback ? 65535 : interface->mtu;
  if (netif_is_up(interface)) result->flags |= CLWIP_UP;
  if (netif_is_link_up(interface)) result->flags |= CLWIP_RUNNING;
  result->flags |= is_loopback ? CLWIP_LOOPBACK : CLWIP_BROADCAST | CLWIP_MULTICAST;
  result->address = netif_ip4_addr(interface)->addr;
  result->mask = netif_ip4_netmask(interface)->addr;
  result->gateway = netif_ip4_gw(interface)->addr;
  return 1;
}

int clwip_interface_address6(int number, int index, clwip_endpoint *address) {
  struct netif *interface = interface_of(number);
  if (!interface || index >= LWIP_IPV6_NUM_ADDRESSES) return 0;
  if (!ip6_addr_isvalid(netif_ip6_addr_state(interface, index))) return 0;
  *address = endpoint_of(netif_ip_addr6(interface, index), 0);
  return 1;
}

void clwip_input(int number, const void *bytes, uint32_t count) {
  struct netif *interface = interface_of(number);
  if (!interface || count > UINT16_MAX) return;
  struct pbuf *packet = pbuf_alloc(PBUF_RAW, (u16_t)count, PBUF_RAM);
  if (!packet) return;
  memcpy(packet->payload, bytes, count);
  if (interface->input(packet, interface) != ERR_OK) pbuf_free(packet);
}

// Where `count` bytes at `offset` of a packet lie, when they are in its first piece.
static const uint8_t *bytes_of(const struct pbuf *packet, unsigned offset, unsigned count) {
  return offset + count <= packet->len ? (const uint8_t *)packet->payload + offset : NULL;
}

static u16_t big_endian(const uint8_t *bytes) { return (u16_t)(bytes[0] << 8 | bytes[1]); }

int clwip_look_for_errors4(struct pbuf *packet) {
  const uint8_t *header = bytes_of(packet, 0, 20);
  if (!header || header[9] != IP_PROTO_ICMP || big_endian(header + 6) & 0x3fff) return 0;
  unsigned length = (header[0] & 15u) * 4;
  const uint8_t *message = bytes_of(packet, length, 8 + 20);
  if (!message || message[0] != ICMP_DUR) return 0;
  const uint8_t *inner = message + 8;
  unsigned inner_length = (inner[0] & 15u) * 4;
  const uint8_t *ports = bytes_of(packet, length + 8 + inner_length, 4);
  if (!ports) return 0;
  clwip_endpoint local = {.version = 4, .port = big_endian(ports)};
  clwip_endpoint remote = {.version = 4, .port = big_endian(ports + 2)};
  uint32_t word;
  memcpy(&word, inner + 12, 4);
  local.low = word;
  memcpy(&word, inner + 16, 4);
  remote.low = word;
  // Linux's icmp_err_convert.
  static const uint8_t errors[] = {ENETUNREACH, EHOSTUNREACH, 92, ECONNREFUSED};
  int error = message[1] < sizeof errors ? errors[message[1]] : EHOSTUNREACH;
  if (message[1] != 4) network_unreachable(&local, &remote, inner[9], error);
  return 0;
}

int clwip_look_for_errors6(struct pbuf *packet) {
  const uint8_t *header = bytes_of(packet, 0, 40 + 8 + 40 + 4);
  if (!header || header[6] != IP6_NEXTH_ICMP6 || header[40] != ICMP6_TYPE_DUR) return 0;
  const uint8_t *inner = header + 48;
  clwip_endpoint local = {.version = 6, .port = big_endian(inner + 40)};
  clwip_endpoint remote = {.version = 6, .port = big_endian(inner + 42)};
  memcpy(&local.high, inner + 8, 8);
  memcpy(&local.low, inner + 16, 8);
  memcpy(&remote.high, inner + 24, 8);
  memcpy(&remote.low, inner + 32, 8);
  network_unreachable(&local, &remote, inner[6], header[41] == ICMP6_DUR_PORT ? ECONNREFUSED : EHOSTUNREACH);
  return 0;
}

int clwip_group(int number, const clwip_endpoint *group, int joins) {
  ip_addr_t address = address_of(group);
  struct netif *interface = number ? interface_of(number) : netif_default;
  if (!interface) interface = netif_list;
  if (!interface) return EIO;
  if (group->version == 4)
    return errno_of(joins ? igmp_joingroup_netif(interface, ip_2_ip4(&address))
                          : igmp_leavegroup_netif(interface, ip_2_ip4(&address)));
  ip6_addr_assign_zone(ip_2_ip6(&address), IP6_MULTICAST, interface);
  return errno_of(joins ? mld6_joingroup_netif(interface, ip_2_ip6(&address))
                        : mld6_leavegroup_netif(interface, ip_2_ip6(&address)));
}

// MARK: Buffers

uint32_t clwip_buffer_count(clwip_handle buffer) { return ((struct pbuf *)buffer)->tot_len; }

uint32_t clwip_buffer_copy(clwip_handle buffer, void *to, uint32_t count, uint32_t offset) {
  return pbuf_copy_partial((struct pbuf *)buffer, to, (u16_t)LWIP_MIN(count, UINT16_MAX), (u16_t)offset);
}

uintptr_t clwip_buffer_piece(clwip_handle buffer, uint32_t offset, uint32_t *count) {
  const struct pbuf *piece = (struct pbuf *)buffer;
  while (piece && offset >= piece->len) {
    offset -= piece->len;
    piece = piece->next;
  }
  *count = piece ? piece->len - offset : 0;
  return piece ? (uintptr_t)piece->payload + offset : 0;
}

clwip_handle clwip_buffer_drop(clwip_handle buffer, uint32_t count) {
  return (clwip_handle)pbuf_free_header((struct pbuf *)buffer, (u16_t)count);
}
void clwip_buffer_free(clwip_handle buffer) { pbuf_free((struct pbuf *)buffer); }
clwip_handle clwip_buffer_make(uint32_t count) {
  return (clwip_handle)pbuf_alloc(PBUF_TRANSPORT, (u16_t)count, PBUF_RAM);
}

// MARK: Options

void clwip_set_flag(clwip_handle block, uint32_t flag, int value) {
  struct ip_pcb *pcb = (struct ip_pcb *)block;
  if (value)
    ip_set_option(pcb, flag);
  else
    ip_reset_option(pcb, flag);
}

void clwip_set_hops(clwip_handle block, uint8_t time_to_live, uint8_t type_of_service) {
  struct ip_pcb *pcb = (struct ip_pcb *)block;
  pcb->ttl = time_to_live;
  pcb->tos = type_of_service;
}

// MARK: TCP

static err_t tcp_did_receive(void *token, struct tcp_pcb *pcb, struct pbuf *buffer, err_t error) {
  (void)error;
  int answer = network_received((uintptr_t)token, (clwip_handle)buffer);
  if (answer == NETWORK_REFUSED) return ERR_MEM;
  if (answer == NETWORK_CONFIRM_AT_ONCE) tcp_ack_now(pcb);
  return ERR_OK;
}
static err_t tcp_did_send(void *token, struct tcp_pcb *pcb, u16_t count) {
  (void)pcb, (void)count;
  network_sent((uintptr_t)token);
  return ERR_OK;
}
static err_t tcp_did_connect(void *token, struct tcp_pcb *pcb, err_t error) {
  (void)pcb, (void)error;
  network_connected((uintptr_t)token);
  return ERR_OK;
}
static void tcp_did_fail(void *token, err_t error) { network_failed((uintptr_t)token, errno_of(error)); }

static void tcp_attach(struct tcp_pcb *pcb, uintptr_t token) {
  tcp_arg(pcb, (void *)token);
  tcp_recv(pcb, tcp_did_receive);
  tcp_sent(pcb, tcp_did_send);
  tcp_err(pcb, tcp_did_fail);
}

static void tcp_detach(struct tcp_pcb *pcb) {
  tcp_arg(pcb, NULL);
  tcp_recv(pcb, NULL);
  tcp_sent(pcb, NULL);
  tcp_err(pcb, NULL);
}

static err_t tcp_did_accept(void *listener, struct tcp_pcb *pcb, err_t error) {
  if (error != ERR_OK || !pcb) return ERR_VAL;
  uintptr_t token = network_accepted((uintptr_t)listener, (clwip_handle)pcb);
  if (!token) return ERR_MEM;
  tcp_attach(pcb, token);
  tcp_backlog_delayed(pcb);
  return ERR_OK;
}

clwip_handle clwip_tcp_make(uint8_t version, uintptr_t token) {
  struct tcp_pcb *pcb = tcp_new_ip_type(type_of(version));
  if (pcb) tcp_attach(pcb, token);
  return (clwip_handle)pcb;
}

int clwip_tcp_bind(clwip_handle block, const clwip_endpoint *to) {
  ip_addr_t address = address_of(to);
  return errno_of(tcp_bind((struct tcp_pcb *)block, &address, to->port));
}

int clwip_tcp_connect(clwip_handle block, const clwip_endpoint *to) {
  ip_addr_t address = address_of(to);
  return errno_of(tcp_connect((struct tcp_pcb *)block, &address, to->port, tcp_did_connect));
}

clwip_handle clwip_tcp_listen(clwip_handle block, uint8_t backlog, int *error) {
  struct tcp_pcb *pcb = (struct tcp_pcb *)block;
  err_t result;
  void *token = pcb->callback_arg;
  struct tcp_pcb *listener = tcp_listen_with_backlog_and_err(pcb, backlog, &result);
  *error = errno_of(result);
  if (listener) {
    tcp_arg(listener, token);
    tcp_accept(listener, tcp_did_accept);
  }
  return (clwip_handle)listener;
}

void clwip_tcp_set_backlog(clwip_handle block, uint8_t backlog) {
  tcp_backlog_set((struct tcp_pcb *)block, backlog);
}

void clwip_tcp_accepted(clwip_handle block) {
  struct tcp_pcb *pcb = (struct tcp_pcb *)block;
  struct tcp_pcb_listen *listener = pcb->listener;
  int was_full = listener && listener->accepts_pending >= listener->backlog;
  tcp_backlog_accepted(pcb);
  if (!was_full) return;
  // Who connects from this machine and found no place need not wait for the time after which it asks again.
  for (struct tcp_pcb *other = tcp_active_pcbs; other; other = other->next)
    if (other->state == SYN_SENT && other->remote_port == listener->local_port &&
        ip_addr_cmp(&other->local_ip, &other->remote_ip))
      tcp_rexmit_rto(other);
}

uint32_t clwip_tcp_room(clwip_handle block) {
  struct tcp_pcb *pcb = (struct tcp_pcb *)block;
  return tcp_sndqueuelen(pcb) + 8 < TCP_SND_QUEUELEN ? tcp_sndbuf(pcb) : 0;
}

uint32_t clwip_tcp_unconfirmed(clwip_handle block) { return TCP_SND_BUF - tcp_sndbuf((struct tcp_pcb *)block); }

int clwip_tcp_write(clwip_handle block, const void *bytes, uint32_t count, int has_more) {
  return errno_of(tcp_write(
      (struct tcp_pcb *)block, bytes, (u16_t)count, TCP_WRITE_FLAG_COPY | (has_more ? TCP_WRITE_FLAG_MORE : 0)));
}

void clwip_tcp_output(clwip_handle block) { tcp_output((struct tcp_pcb *)block); }

void clwip_tcp_taken(clwip_handle block, uint32_t count) {
  struct tcp_pcb *pcb = (struct tcp_pcb *)block;
  for (; count > UINT16_MAX; count -= UINT16_MAX) tcp_recved(pcb, UINT16_MAX);
  tcp_recved(pcb, (u16_t)count);
  if (pcb->refused_data) tcp_process_refused_data(pcb);
}

int clwip_tcp_end_sending(clwip_handle block) {
  return errno_of(tcp_shutdown((struct tcp_pcb *)block, 0, 1));
}

int clwip_tcp_close(clwip_handle block) {
  struct tcp_pcb *pcb = (struct tcp_pcb *)block;
  if (pcb->state == LISTEN) {
    tcp_arg(pcb, NULL);
    tcp_accept(pcb, NULL);
    return errno_of(tcp_close(pcb));
  }
  tcp_detach(pcb);
  return errno_of(tcp_close(pcb));
}

void clwip_tcp_abort(clwip_handle block) {
  tcp_detach((struct tcp_pcb *)block);
  tcp_abort((struct tcp_pcb *)block);
}

void clwip_tcp_set_no_delay(clwip_handle block, int value) {
  struct tcp_pcb *pcb = (struct tcp_pcb *)block;
  if (value)
    tcp_nagle_disable(pcb);
  else
    tcp_nagle_enable(pcb);
}

void clwip_tcp_set_keep_alive(clwip_handle block, uint32_t idle, uint32_t interval, uint32_t count) {
  struct tcp_pcb *pcb = (struct tcp_pcb *)block;
  pcb->keep_idle = idle;
  pcb->keep_intvl = interval;
  pcb->keep_cnt = count;
}

uint16_t clwip_tcp_segment_size(clwip_handle block) { return tcp_mss((struct tcp_pcb *)block); }

int clwip_tcp_state(clwip_handle block) {
  // CLOSED, LISTEN, SYN_SENT, SYN_RCVD, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT
  static const uint8_t states[] = {7, 10, 2, 3, 1, 4, 5, 8, 11, 9, 6};
  return states[((struct tcp_pcb *)block)->state];
}

void clwip_tcp_names(clwip_handle block, clwip_endpoint *local, clwip_endpoint *remote) {
  struct tcp_pcb *pcb = (struct tcp_pcb *)block;
  *local = endpoint_of(&pcb->local_ip, pcb->local_port);
  if (pcb->state == LISTEN)
    memset(remote, 0, sizeof *remote);
  else
    *remote = endpoint_of(&pcb->remote_ip, pcb->remote_port);
}

int clwip_tcp_has_unsent(void) {
  for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
    if (pcb->unsent || pcb->unacked) return 1;
  return 0;
}

// MARK: UDP

// What network_datagram tells of a packet's header.
static uint32_t current_header(void) {
  const struct ip_hdr *header4 = ip4_current_header();
  const struct ip6_hdr *header6 = ip6_current_header();
  uint32_t hops = ip_current_is_v6() ? IP6H_HOPLIM(header6) : IPH_TTL(header4);
  uint32_t service = ip_current_is_v6() ? IP6H_TC(header6) : IPH_TOS(header4);
  return hops << 24 | service << 16 | netif_get_index(ip_current_input_netif());
}

static void udp_did_receive(
    void *token, struct udp_pcb *pcb, struct pbuf *buffer, const ip_addr_t *address, u16_t port) {
  clwip_endpoint from = endpoint_of(address, port);
  clwip_endpoint to = endpoint_of(ip_current_dest_addr(), pcb->local_port);
  network_datagram((uintptr_t)token, (clwip_handle)buffer, &from, &to, current_header());
}

clwip_handle clwip_udp_make(uint8_t version, uintptr_t token) {
  struct udp_pcb *pcb = udp_new_ip_type(type_of(version));
  if (pcb) udp_recv(pcb, udp_did_receive, (void *)token);
  return (clwip_handle)pcb;
}

int clwip_udp_bind(clwip_handle block, const clwip_endpoint *to) {
  ip_addr_t address = address_of(to);
  return errno_of(udp_bind((struct udp_pcb *)block, &address, to->port));
}

int clwip_udp_connect(clwip_handle block, const clwip_endpoint *to) {
  ip_addr_t address = address_of(to);
  return errno_of(udp_connect((struct udp_pcb *)block, &address, to->port));
}

void clwip_udp_disconnect(clwip_handle block) { udp_disconnect((struct udp_pcb *)block); }

int clwip_udp_send(clwip_handle block, clwip_handle buffer, const clwip_endpoint *to, int number) {
  ip_addr_t address = address_of(to);
  struct netif *interface = number ? interface_of(number) : NULL;
  struct udp_pcb *pcb = (struct udp_pcb *)block;
  err_t error = interface ? udp_sendto_if(pcb, (struct pbuf *)buffer, &address, to->port, interface)
                          : udp_sendto(pcb, (struct pbuf *)buffer, &address, to->port);
  pbuf_free((struct pbuf *)buffer);
  // Without permission to broadcast lwIP speaks of a value.
  return errno_of(error);
}

void clwip_udp_free(clwip_handle block) { udp_remove((struct udp_pcb *)block); }

void clwip_udp_names(clwip_handle block, clwip_endpoint *local, clwip_endpoint *remote) {
  struct udp_pcb *pcb = (struct udp_pcb *)block;
  *local = endpoint_of(&pcb->local_ip, pcb->local_port);
  *remote = endpoint_of(&pcb->remote_ip, pcb->remote_port);
}

void clwip_udp_set_multicast(clwip_handle block, int interface, uint8_t time_to_live, int loops) {
  struct udp_pcb *pcb = (struct udp_pcb *)block;
  udp_set_multicast_netif_index(pcb, (u8_t)interface);
  udp_set_multicast_ttl(pcb, time_to_live);
  if (loops)
    udp_set_flags(pcb, UDP_FLAGS_MULTICAST_LOOP);
  else
    udp_clear_flags(pcb, UDP_FLAGS_MULTICAST_LOOP);
}

// MARK: Raw IP

static u8_t raw_did_receive(void *token, struct raw_pcb *pcb, struct pbuf *buffer, const ip_addr_t *address) {
  clwip_endpoint from = endpoint_of(address, 0);
  clwip_endpoint to = endpoint_of(ip_current_dest_addr(), 0);
  // The stack goes on with its own: what the socket gets is a copy.
  struct pbuf *copy = pbuf_clone(PBUF_RAW, PBUF_RAM, buffer);
  (void)pcb;
  if (copy)
    network_datagram((uintptr_t)token, (clwip_handle)copy, &from, &to, current_header());
  return 0;
}

clwip_handle clwip_raw_make(uint8_t version, uint8_t protocol, uintptr_t token) {
  struct raw_pcb *pcb = raw_new_ip_type(type_of(version), protocol);
  if (pcb) raw_recv(pcb, raw_did_receive, (void *)token);
  return (clwip_handle)pcb;
}

int clwip_raw_bind(clwip_handle block, const clwip_endpoint *to) {
  ip_addr_t address = address_of(to);
  return errno_of(raw_bind((struct raw_pcb *)block, &address));
}

int clwip_raw_send(clwip_handle block, clwip_handle buffer, const clwip_endpoint *to) {
  ip_addr_t address = address_of(to);
  err_t error = raw_sendto((struct raw_pcb *)block, (struct pbuf *)buffer, &address);
  pbuf_free((struct pbuf *)buffer);
  return errno_of(error);
}

void clwip_raw_free(clwip_handle block) { raw_remove((struct raw_pcb *)block); }
