/*
 * What a birth costs at least: wait for a client, vfork, exec, wait for the
 * end; nothing else. usage: limit SOCKET LOOPS WORKER
 *
 * One loop serves one client after the other. Several run side by side, each
 * in a process of its own. They may only be asked for where at least as many
 * clients are waiting at all times: all loops wake up for one client.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LISTEN = 6, BACKLOG = 100 };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(a.sun_path, path, sizeof a.sun_path - 1);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, BACKLOG))
		die(path);
	if (dup2(fd, LISTEN) < 0)
		die("dup2");
}

static void loop(char *worker)
{
	char *argv[] = { worker, 0 }, *envp[] = { "GENERATION=1", 0 };
	struct pollfd p = { LISTEN, POLLIN, 0 };

	for (;;) {
		if (poll(&p, 1, -1) < 1)
			continue;
		pid_t pid = vfork();
		if (pid == 0) {
			execve(worker, argv, envp);
			_exit(127);
		}
		if (pid < 0 || wait4(pid, 0, 0, 0) != pid)
			die("birth");
	}
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	listen_at(argv[1]);
	for (int more = atoi(argv[2]); more > 1; more--) {
		pid_t parent = getpid();
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() == parent)
				loop(argv[3]);
			return 0;
		}
	}
	loop(argv[3]);
}
