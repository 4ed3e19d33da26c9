/* address.c -- see address.h. */
#include "net/uv/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

/* Splits HOST:PORT or [HOST]:PORT. */
static const char *split(const char *text, char *host, size_t host_len, char port[8])
{
    const char *colon = strrchr(text, ':');
    size_t len;
    char *end;

    if (!colon || colon == text || colon[1] < '0' || colon[1] > '9')
        return "not of the form ADDRESS:PORT";
    if (strtoul(colon + 1, &end, 10) > UINT16_MAX || *end || strlen(colon + 1) > 5)
        return "the port is not a number up to 65535";
    snprintf(port, 8, "%s", colon + 1);
    len = (size_t)(colon - text);
    if (text[0] == '[' && colon[-1] == ']') {
        text++;
        len -= 2;
    } else if (memchr(text, ':', len)) {
        return "an IPv6 address stands in brackets: [ADDRESS]:PORT";
    }
    if (len == 0 || len >= host_len)
        return "not of the form ADDRESS:PORT";
    memcpy(host, text, len);
    host[len] = 0;
    return NULL;
}

const char *nwr_address_parse(const char *text, bool numeric, struct sockaddr_storage *out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    char host[256], port[8];
    const char *why = split(text, host, sizeof(host), port);
    int err;

    if (why)
        return why;
    hints.ai_flags = AI_NUMERICSERV | (numeric ? AI_NUMERICHOST : 0);
    err = getaddrinfo(host, port, &hints, &found);
    if (err || !found)
        return numeric ? "not a numeric address" : gai_strerror(err);
    memset(out, 0, sizeof(*out));
    memcpy(out, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return NULL;
}

static const struct sockaddr_in *in4(const struct sockaddr *sa)
{
    return (const void *)sa;
}

static const struct sockaddr_in6 *in6(const struct sockaddr *sa)
{
    return (const void *)sa;
}

void nwr_address_text(const struct sockaddr *sa, char text[NWR_ADDRESS_MAX])
{
    char ip[INET6_ADDRSTRLEN] = "?";

    if (sa->sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &in6(sa)->sin6_addr, ip, sizeof(ip));
        snprintf(text, NWR_ADDRESS_MAX, "[%s]:%u", ip, nwr_address_port(sa));
        return;
    }
    if (sa->sa_family == AF_INET)
        inet_ntop(AF_INET, &in4(sa)->sin_addr, ip, sizeof(ip));
    snprintf(text, NWR_ADDRESS_MAX, "%s:%u", ip, nwr_address_port(sa));
}

bool nwr_address_loopback(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&in6(sa)->sin6_addr);
    return ntohl(in4(sa)->sin_addr.s_addr) >> 24 == 127;
}

bool nwr_address_any(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET6)
        return IN6_IS_ADDR_UNSPECIFIED(&in6(sa)->sin6_addr);
    return in4(sa)->sin_addr.s_addr == 0;
}

uint16_t nwr_address_port(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET6)
        return ntohs(in6(sa)->sin6_port);
    return sa->sa_family == AF_INET ? ntohs(in4(sa)->sin_port) : 0;
}

void nwr_address_set_port(struct sockaddr *sa, uint16_t port)
{
    if (sa->sa_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)sa)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)(void *)sa)->sin_port = htons(port);
}

bool nwr_address_same_ip(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_INET6)
        return memcmp(&in6(a)->sin6_addr, &in6(b)->sin6_addr, sizeof(in6(a)->sin6_addr)) == 0;
    return in4(a)->sin_addr.s_addr == in4(b)->sin_addr.s_addr;
}
