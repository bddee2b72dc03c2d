/*
 * A worker for the benchmarks. The last argument says what it does:
 *
 *   (none)  serves one client on descriptor 6 with one byte and ends, as a
 *           Postfix daemon with max_use = 1 does
 *   inetd   the same, for a client that is descriptors 0 and 1 already
 *   hold    has served once, takes its client and stays until it is killed
 *   flood   reads a count, sends that many status records, and tells its
 *           client when it is done
 *
 * On descriptor 5 it sends status records as Postfix daemons do: process id,
 * generation, 0 for taken or 1 for available, three native integers. A failed
 * report is of no consequence here; not all that start it have a channel.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STATUS = 5, LISTEN = 6 };
enum { TAKEN = 0, AVAILABLE = 1 };

static struct { int32_t pid; uint32_t generation; int32_t status; } record;

static void report(int status)
{
	struct pollfd p = { STATUS, POLLOUT, 0 };

	record.status = status;
	while (write(STATUS, &record, sizeof record) < 0)
		if (poll(&p, 1, -1) < 0 || p.revents != POLLOUT)
			return;
}

/* Another worker may have taken the client that this one was born for. */
static int next_client(void)
{
	struct pollfd p[2] = { { LISTEN, POLLIN, 0 }, { STATUS, POLLIN, 0 } };
	int client;

	while ((client = accept(LISTEN, 0, 0)) < 0)
		if (poll(p, 2, -1) > 0 && p[1].revents != 0 && p[1].revents != POLLNVAL)
			_exit(0); /* the manager wants it to leave */
	return client;
}

static void tell(int client)
{
	if (write(client, "x", 1) != 1)
		_exit(1);
}

static void flood(int client)
{
	uint64_t count;

	if (read(client, &count, sizeof count) != sizeof count)
		_exit(1);
	for (uint64_t i = 0; i < count; i++)
		report(i % 2 ? TAKEN : AVAILABLE);
	tell(client);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[argc - 1] : "";
	const char *generation = getenv("GENERATION");
	int client;

	if (strcmp(mode, "inetd") == 0) {
		tell(1);
		return 0;
	}
	record.pid = getpid();
	record.generation = generation ? strtoul(generation, 0, 8) : 0;
	client = next_client();
	report(TAKEN);
	if (strcmp(mode, "hold") == 0) {
		report(AVAILABLE); /* a use, so that its death is no crash at birth */
		report(TAKEN);
		tell(client);
		for (;;)
			pause();
	}
	if (strcmp(mode, "flood") == 0)
		for (;;)
			flood(client);
	tell(client);
	close(client);
	report(AVAILABLE);
	return 0;
}
