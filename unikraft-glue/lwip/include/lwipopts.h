// How lwIP is built: no operating system below it, its raw interface, memory from the kernel's heap. lwip/opt.h says
// what each option means.
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_STATS 0
#define LWIP_ERRNO_INCLUDE <lwip/errno.h>

// MARK: Memory

#define MEM_LIBC_MALLOC 1
// Counted, so that sockets can be held back when the stack has its share of memory.
void *clwip_allocate(unsigned long count);
void *clwip_allocate_zeroed(unsigned long count, unsigned long size);
void clwip_free(void *block);
#define mem_clib_malloc clwip_allocate
#define mem_clib_calloc clwip_allocate_zeroed
#define mem_clib_free clwip_free
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 8
// A packet is one piece: a driver's ring takes it as it is.
#define PBUF_POOL_BUFSIZE 1600

// MARK: Protocols

#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_ARP 1
#define LWIP_ICMP 1
#define LWIP_RAW 1
#define LWIP_UDP 1
#define LWIP_TCP 1
#define LWIP_DHCP 1
#define LWIP_DNS 0
#define LWIP_DHCP_GET_NTP_SRV 0
#define DHCP_DOES_ARP_CHECK 0
#define LWIP_IGMP 1
#define LWIP_IPV6_MLD 1
#define LWIP_IPV6_DHCP6 0
#define LWIP_IPV6_AUTOCONFIG 1
#define LWIP_IPV6_SCOPES 1
// Its notes on fragments do not fit the header of a fragment where pointers have 64 bits.
#define IPV6_FRAG_COPYHEADER 1
#define IP_FORWARD 0
#define IP_REASSEMBLY 1
// Fragments that wait for others: those of a few datagrams of the largest size.
#define IP_REASS_MAX_PBUFS 256
#define IP_FRAG 1
#define IP_SOF_BROADCAST 1
#define IP_SOF_BROADCAST_RECV 0
#define LWIP_MULTICAST_TX_OPTIONS 1
#define LWIP_NETBUF_RECVINFO 1
#define SO_REUSE 1
#define SO_REUSE_RXTOALL 1

// MARK: TCP

#define TCP_MSS 15000
#define TCP_CALCULATE_EFF_SEND_MSS 1
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 4
#define TCP_WND (256 * 1024)
#define TCP_SND_BUF (256 * 1024)
#define TCP_SND_QUEUELEN 1024
#define TCP_SNDLOWAT 4096
#define TCP_SNDQUEUELOWAT 512
#define TCP_LISTEN_BACKLOG 1
#define TCP_DEFAULT_LISTEN_BACKLOG 255
#define TCP_QUEUE_OOSEQ 1
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_TIMESTAMPS 0
#define LWIP_TCP_KEEPALIVE 1
#define TCP_OVERSIZE 256
#define TCP_MSL 30000UL
// RFC 6298.
#define LWIP_TCP_RTO_TIME 1000
// How long a confirmation waits for something to go with, at the most, in milliseconds; and half of the step in which
// times of repetition are counted.
#define TCP_TMR_INTERVAL 100

// MARK: Interfaces

#define LWIP_NETIF_API 0
#define LWIP_NETIF_LOOPBACK 1
#define LWIP_HAVE_LOOPIF 1
#define LWIP_LOOPIF_MULTICAST 1
#define LWIP_LOOPBACK_MAX_PBUFS 0
#define LWIP_NETIF_HOSTNAME 1
#define LWIP_NETIF_STATUS_CALLBACK 1
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define LWIP_CHECKSUM_ON_COPY 0
#define ETH_PAD_SIZE 0

// Echo requests and errors that sockets have to hear of.
#define LWIP_HOOK_FILENAME "lwiphooks.h"

#endif
