/* usage: unsafe handler|self-pipe|signalfd [TICKS]
 * A program that allocates memory all the time is to report each tick of an alarm.
 * Where may it do that? */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static volatile sig_atomic_t ticks;
static int ends[2];

/* Not for a handler: malloc takes a lock, which the interrupted code may have. */
static void report(void)
{
    char *text = malloc(2000);
    snprintf(text, 2000, "tick %d\n", (int)++ticks);
    if (write(1, text, strlen(text)) < 0)
        _exit(1);
    free(text);
}

static void report_at_once(int signo)
{
    (void)signo;
    report();
}

/* The self-pipe: write is allowed in a handler. The rest is done where the pipe is read. */
static void leave_a_byte(int signo)
{
    int before = errno;
    (void)signo;
    if (write(ends[1], "!", 1) < 0)
        _exit(1);
    errno = before;
}

static void work(void)
{
    char *block = malloc(5000);
    block[0] = 1;
    free(block);
}

static void wait_for_tick(int fd)
{
    struct signalfd_siginfo buffer; /* from a pipe it is one byte */
    while (read(fd, &buffer, sizeof buffer) < 0 && errno == EINTR)
        continue;
}

static void *idle(void *nothing)
{
    return nothing;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "handler";
    int most = argc > 2 ? atoi(argv[2]) : 20;
    struct sigaction action = {.sa_handler = report_at_once};
    int fd = -1;
    pthread_t thread;
    sigset_t set;

    pthread_create(&thread, NULL, idle, NULL); /* from the first thread on malloc takes locks */
    pthread_join(thread, NULL);
    access("/.ipcviz/step/had a thread", F_OK);

    if (strcmp(how, "signalfd") == 0) {
        sigemptyset(&set);
        sigaddset(&set, SIGALRM);
        sigprocmask(SIG_BLOCK, &set, NULL); /* it stays pending, and is read */
        fd = signalfd(-1, &set, 0);
    } else {
        if (strcmp(how, "self-pipe") == 0) {
            if (pipe(ends) < 0)
                return 1;
            fd = ends[0];
            action.sa_handler = leave_a_byte;
        }
        sigaction(SIGALRM, &action, NULL);
    }

    while (ticks < most) {
        int before = ticks;
        alarm(1);
        if (fd < 0) {
            while (ticks == before)
                work();
        } else {
            work();
            wait_for_tick(fd);
            report(); /* not in a handler: nothing is interrupted */
        }
    }
    return 0;
}
