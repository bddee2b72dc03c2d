/* A worker that takes its socket as sd_listen_fds_with_names(3) passes it, says
 * that it is ready, and serves one client at a time. What it reads at its start
 * stands in worker.conf. TERM has it finish its client and leave. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

static volatile sig_atomic_t leaving;

static void leave(int signal) { (void)signal; leaving = 1; }

static void serve(int client)
{
    char word[100] = "";
    if (read(client, word, sizeof word - 1) > 0) {
        sd_notify(0, "X_BROOD_STATE=busy");
        if (strncmp(word, "slow", 4) == 0)
            usleep(300000);
        dprintf(client, "served by %d\n", (int)getpid());
    }
    close(client);
    sd_notify(0, "X_BROOD_STATE=idle");
    fprintf(stderr, "idle again\n");
}

int main(void)
{
    char **names = NULL;
    if (access("worker.conf", R_OK) != 0) {
        perror("worker.conf");
        return 1;
    }
    if (sd_listen_fds_with_names(0, &names) != 1 || strcmp(names[0], "clients") != 0) {
        fprintf(stderr, "no socket called clients\n");
        return 2;
    }
    sigaction(SIGTERM, &(struct sigaction){ .sa_handler = leave }, NULL);
    sd_notify(0, "READY=1\nX_BROOD_STATE=idle");
    while (!leaving) {
        int client = accept(SD_LISTEN_FDS_START, NULL, NULL);
        if (client >= 0)
            serve(client);
    }
    return 0;
}
