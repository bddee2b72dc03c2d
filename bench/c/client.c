/*
 * Clients, one after the other or several at once. usage: client SOCKET COUNT
 * CLIENTS
 *
 * Each connects, reads one byte and then end-of-file. Written are the time of
 * the whole run, and then that from connect to first byte of each client, in
 * nanoseconds, a line each.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS_MOST = 4096 };

static struct sockaddr_un address = { .sun_family = AF_UNIX };
static int64_t began[CLIENTS_MOST * 2]; /* by descriptor */
static int64_t *latency;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int begin(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0)
		die("socket");
	began[fd] = now();
	if (connect(fd, (struct sockaddr *)&address, sizeof address))
		die("connect");
	return fd;
}

static void one_by_one(long count)
{
	char byte;

	for (long i = 0; i < count; i++) {
		int fd = begin();
		if (read(fd, &byte, 1) != 1)
			die("read");
		latency[i] = now() - began[fd];
		if (read(fd, &byte, 1) > 0)
			exit(1);
		close(fd);
	}
}

static void watch(int set, int fd)
{
	struct epoll_event ev = { EPOLLIN, { .fd = fd } };

	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &ev))
		die("epoll_ctl");
}

/* One step of one client; 1 when it has read its end-of-file. */
static int advance(int fd, long *served)
{
	char bytes[2];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof bytes)) > 0)
		latency[(*served)++] = now() - began[fd];
	if (n == 0)
		return 1;
	if (errno != EAGAIN && errno != ECONNRESET)
		die("read");
	return errno == ECONNRESET;
}

static void at_once(long count, int clients)
{
	struct epoll_event events[64];
	int set = epoll_create1(0);
	long started = 0, served = 0, ended = 0;

	for (; started < clients; started++)
		watch(set, begin());
	while (ended < count) {
		int n = epoll_wait(set, events, 64, -1);
		for (int i = 0; i < n; i++) {
			if (!advance(events[i].data.fd, &served))
				continue;
			close(events[i].data.fd);
			ended++;
			if (started++ < count)
				watch(set, begin());
		}
	}
	if (served != count)
		die("a client was not served");
}

int main(int argc, char **argv)
{
	long count = argc == 4 ? atol(argv[2]) : 0;
	int clients = argc == 4 ? atoi(argv[3]) : 0;

	if (count < 1 || clients < 1 || clients > CLIENTS_MOST || clients > count)
		return 2;
	strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
	latency = calloc(count, sizeof *latency);
	int64_t start = now();
	if (clients == 1)
		one_by_one(count);
	else
		at_once(count, clients);
	printf("%lld\n", (long long)(now() - start));
	for (long i = 0; i < count; i++)
		printf("%lld\n", (long long)latency[i]);
	return 0;
}
