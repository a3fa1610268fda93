// CLwIP: what the kernel asks of lwIP, and what lwIP tells the kernel, in plain integers, so that Swift imports nothing
// of lwIP's. Errors are Linux's errno, 0 for none. Nothing here blocks; all of it is called with interrupts off.
#ifndef CLWIP_H
#define CLWIP_H

#include <stdint.h>

// A control block or a buffer of the stack's: an address that only the stack looks behind. 0 is none.
typedef uintptr_t clwip_handle;

// An address and a port.
typedef struct {
  // The address's bytes in memory order, as two words; IPv4's is the lower half of `low`.
  uint64_t low, high;
  // The interface of a link-local address; 0 for none.
  uint32_t zone;
  // In the host's order.
  uint16_t port;
  // 4 or 6; 0 for either, with no address: `::` of a socket that takes both.
  uint8_t version;
} clwip_endpoint;

// MARK: The stack

// Starts it, with the loopback interface.
void clwip_start(void);
// Handles what was sent to the machine itself, which may send more.
void clwip_poll(void);
// Does what is due, and returns the milliseconds until there is more to do; UINT32_MAX for never.
uint32_t clwip_run_timers(void);

// Bytes that the stack has of the kernel's heap.
uint64_t clwip_used(void);

// MARK: Interfaces, by their numbers as if_nametoindex(3) gives them: 1 is the loopback interface.

enum { CLWIP_UP = 1, CLWIP_BROADCAST = 2, CLWIP_MULTICAST = 4, CLWIP_LOOPBACK = 8, CLWIP_RUNNING = 16 };

typedef struct {
  uint8_t mac[6];
  uint16_t mtu;
  // CLWIP_UP and the like.
  uint32_t flags;
  // IPv4, in memory order; 0 for none.
  uint32_t address, mask, gateway;
} clwip_interface;

// Adds an Ethernet interface. Returns its number, 0 when there is no memory.
int clwip_interface_add(uint64_t mac, uint16_t mtu);
// Gives it an address by hand, and brings it up.
void clwip_interface_configure(int number, uint32_t address, uint32_t mask, uint32_t gateway);
// Brings it up and asks a server of DHCP for an address.
int clwip_interface_use_dhcp(int number, const char *hostname);
void clwip_interface_set_link(int number, int is_up);
// Describes an interface; 0 when there is none of this number.
int clwip_interface_describe(int number, clwip_interface *interface);
// The IPv6 address `index` of an interface; 0 when it has none there.
int clwip_interface_address6(int number, int index, clwip_endpoint *address);
// A packet came in.
void clwip_input(int number, const void *packet, uint32_t count);

// MARK: Buffers: chains of the stack's

uint32_t clwip_buffer_count(clwip_handle buffer);
// Copies bytes out; returns how many there were.
uint32_t clwip_buffer_copy(clwip_handle buffer, void *to, uint32_t count, uint32_t offset);
// The piece that holds byte `offset`: where it lies, and how much follows it there.
uintptr_t clwip_buffer_piece(clwip_handle buffer, uint32_t offset, uint32_t *count);
// Gives the first bytes up. Returns what is left.
clwip_handle clwip_buffer_drop(clwip_handle buffer, uint32_t count);
void clwip_buffer_free(clwip_handle buffer);
// A buffer for a datagram of `count` bytes, in one piece; 0 when there is no memory.
clwip_handle clwip_buffer_make(uint32_t count);

// MARK: Options of control blocks

enum { CLWIP_REUSE_ADDRESS = 4, CLWIP_KEEP_ALIVE = 8, CLWIP_BROADCASTS = 32 };
void clwip_set_flag(clwip_handle block, uint32_t flag, int value);
void clwip_set_hops(clwip_handle block, uint8_t time_to_live, uint8_t type_of_service);

// MARK: TCP. A block belongs to its socket until it is closed or aborted, or `network_failed` was called.

clwip_handle clwip_tcp_make(uint8_t version, uintptr_t token);
int clwip_tcp_bind(clwip_handle block, const clwip_endpoint *to);
int clwip_tcp_connect(clwip_handle block, const clwip_endpoint *to);
// Returns the block that listens, which replaces `block`; 0 with an error in `*error`.
clwip_handle clwip_tcp_listen(clwip_handle block, uint8_t backlog, int *error);
void clwip_tcp_set_backlog(clwip_handle block, uint8_t backlog);
// A connection that `network_accepted` announced was taken.
void clwip_tcp_accepted(clwip_handle block);
// Bytes that can be written now.
uint32_t clwip_tcp_room(clwip_handle block);
// Bytes that the other end has not confirmed.
uint32_t clwip_tcp_unconfirmed(clwip_handle block);
int clwip_tcp_write(clwip_handle block, const void *bytes, uint32_t count, int has_more);
void clwip_tcp_output(clwip_handle block);
// The program has taken `count` bytes: there is room for more.
void clwip_tcp_taken(clwip_handle block, uint32_t count);
// Ends the direction of sending. ENOMEM: try again later.
int clwip_tcp_end_sending(clwip_handle block);
// Gives the block up: its socket hears no more of it, and what was written is still sent. ENOMEM: try again later.
int clwip_tcp_close(clwip_handle block);
void clwip_tcp_abort(clwip_handle block);
void clwip_tcp_set_no_delay(clwip_handle block, int value);
void clwip_tcp_set_keep_alive(clwip_handle block, uint32_t idle, uint32_t interval, uint32_t count);
uint16_t clwip_tcp_segment_size(clwip_handle block);
// Linux's number of the state: TCP_ESTABLISHED and so on.
int clwip_tcp_state(clwip_handle block);
void clwip_tcp_names(clwip_handle block, clwip_endpoint *local, clwip_endpoint *remote);
// Connections that have something to send.
int clwip_tcp_has_unsent(void);

// MARK: UDP

clwip_handle clwip_udp_make(uint8_t version, uintptr_t token);
int clwip_udp_bind(clwip_handle block, const clwip_endpoint *to);
int clwip_udp_connect(clwip_handle block, const clwip_endpoint *to);
void clwip_udp_disconnect(clwip_handle block);
// Sends a buffer, which is freed in any case. `interface` 0: whichever leads there.
int clwip_udp_send(clwip_handle block, clwip_handle buffer, const clwip_endpoint *to, int interface);
void clwip_udp_free(clwip_handle block);
void clwip_udp_names(clwip_handle block, clwip_endpoint *local, clwip_endpoint *remote);
void clwip_udp_set_multicast(clwip_handle block, int interface, uint8_t time_to_live, int loops);

// MARK: Raw IP

clwip_handle clwip_raw_make(uint8_t version, uint8_t protocol, uintptr_t token);
int clwip_raw_bind(clwip_handle block, const clwip_endpoint *to);
int clwip_raw_send(clwip_handle block, clwip_handle buffer, const clwip_endpoint *to);
void clwip_raw_free(clwip_handle block);

// MARK: Addresses

// Whether a socket can have this address: it is an interface's, or none.
int clwip_is_local(const clwip_endpoint *address);
// The address that a packet to `to` would come from; an error when nothing leads there.
int clwip_source_for(const clwip_endpoint *to, clwip_endpoint *source);
// Joins or leaves a group of multicast. `interface` 0: the first that can.
int clwip_group(int interface, const clwip_endpoint *group, int joins);

// MARK: What the kernel provides

uint32_t network_now(void);
uint32_t network_random(void);
// Sends a packet on an interface; returns an errno.
int network_transmit(int number, clwip_handle buffer, uint32_t count);
// Bytes for a stream; buffer 0: no more will come. The buffer is the receiver's, unless it is refused: then it comes
// again.
enum { NETWORK_TAKEN = 0, NETWORK_CONFIRM_AT_ONCE = 1, NETWORK_REFUSED = 2 };
int network_received(uintptr_t token, clwip_handle buffer);
// The other end has confirmed bytes.
void network_sent(uintptr_t token);
void network_connected(uintptr_t token);
// The connection is gone, and its block.
void network_failed(uintptr_t token, int error);
// A connection came in. Returns its token, 0 to refuse.
uintptr_t network_accepted(uintptr_t listener, clwip_handle block);
// A datagram. The buffer is the receiver's. `header` has the interface's number, from bit 16 on the type of service, and
// from bit 24 on how many hops the packet had left.
void network_datagram(
    uintptr_t token, clwip_handle buffer, const clwip_endpoint *from, const clwip_endpoint *to, uint32_t header);
// Nobody at the other end listens: a message of ICMP about a packet from `local` to `remote`.
void network_unreachable(const clwip_endpoint *local, const clwip_endpoint *remote, uint8_t protocol, int error);
// An address or a link changed.
void network_changed(int number);

#endif
