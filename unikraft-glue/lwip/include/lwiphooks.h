// What lwIP asks before it looks at a packet.
#ifndef LWIPHOOKS_H
#define LWIPHOOKS_H

struct pbuf;
struct netif;
// Tells sockets of messages that say that a packet of theirs found nobody; lwIP itself drops them.
int clwip_look_for_errors4(struct pbuf *packet);
int clwip_look_for_errors6(struct pbuf *packet);
#define LWIP_HOOK_IP4_INPUT(packet, interface) clwip_look_for_errors4(packet)
#define LWIP_HOOK_IP6_INPUT(packet, interface) clwip_look_for_errors6(packet)

#endif
