/*
 * A worker for the benchmarks. The last argument says what it does:
 *
 *   (none)  serves one client on descriptor 6 with one byte and ends, as a
 *           Postfix daemon with max_use = 1 does
 *   inetd   the same, for a client that is descriptors 0 and 1 already
 *   hold    has served once, takes its client and stays until it is killed
 *   flood   reads a count, sends that many status records, and tells its
 *           client when it is done
 *   stay    serves one client after the other
 *   postfix, systemd, fastcgi
 *           serves one client by that protocol of brood.toml, and ends after a
 *           moment, so that this is no crash at birth
 *
 * On descriptor 5 it sends status records as Postfix daemons do: process id,
 * generation, 0 for taken or 1 for available, three native integers. A failed
 * report is of no consequence here; not all that start it have a channel.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { STATUS = 5, LISTEN = 6 };
enum { MOMENT_US = 2000 };
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

/* As sd_notify(3). */
static void notify(const char *text)
{
	static struct sockaddr_un manager = { .sun_family = AF_UNIX };
	static int channel = -1;
	const char *path = getenv("NOTIFY_SOCKET");

	if (path == 0 || strlen(path) >= sizeof manager.sun_path)
		_exit(1);
	if (channel < 0) {
		strcpy(manager.sun_path, path);
		if (path[0] == '@')
			manager.sun_path[0] = 0;
		channel = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	}
	sendto(channel, text, strlen(text), 0, (struct sockaddr *)&manager,
	       offsetof(struct sockaddr_un, sun_path) + strlen(path));
}

/* Another worker may have taken the client that this one was born for. */
static int next_client(int listen)
{
	struct pollfd p[2] = { { listen, POLLIN, 0 }, { STATUS, POLLIN, 0 } };
	int client;

	while ((client = accept(listen, 0, 0)) < 0)
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
	if (strcmp(mode, "systemd") == 0) {
		client = next_client(3);
		notify("X_BROOD_STATE=busy");
		tell(client);
		usleep(MOMENT_US);
		notify("X_BROOD_STATE=idle");
		return 0;
	}
	if (strcmp(mode, "fastcgi") == 0) {
		tell(next_client(0));
		usleep(MOMENT_US);
		return 0;
	}
	record.pid = getpid();
	record.generation = generation ? strtoul(generation, 0, 8) : 0;
	client = next_client(LISTEN);
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
	while (strcmp(mode, "stay") == 0) {
		tell(client);
		close(client);
		report(AVAILABLE);
		client = next_client(LISTEN);
		report(TAKEN);
	}
	tell(client);
	if (strcmp(mode, "postfix") == 0)
		usleep(MOMENT_US);
	close(client);
	report(AVAILABLE);
	return 0;
}
