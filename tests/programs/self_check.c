/* What a program finds when it looks at itself: nothing here may come from who watches. */
#include "common.h"
#include <dirent.h>
int main(void)
{
    DIR *folder = opendir("/proc/self/fd");
    CHECK(folder);
    int seen[1024] = {0};
    for (struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(folder))
            seen[atoi(entry->d_name) % 1024] = 1;
    closedir(folder);
    printf("descriptors:");
    for (int i = 0; i < 1024; i++)
        if (seen[i])
            printf(" %d(%s%s%s)", i, isatty(i) ? "tty" : "no tty", fcntl(i, F_GETFD) & FD_CLOEXEC ? ",cloexec" : "",
                   fcntl(i, F_GETFL) & O_NONBLOCK ? ",nonblock" : "");
    sigset_t mask, pending;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    sigpending(&pending);
    printf("\nsignals:");
    for (int s = 1; s <= 64; s++) {
        struct sigaction action;
        if (sigaction(s, NULL, &action) < 0)
            continue;
        if (action.sa_handler != SIG_DFL || sigismember(&mask, s) || sigismember(&pending, s))
            printf(" %d:%s%s%s", s, action.sa_handler == SIG_IGN ? "ignored" : "", sigismember(&mask, s) ? "blocked" : "",
                   sigismember(&pending, s) ? "pending" : "");
    }
    mode_t mask_of_modes = umask(0);
    printf("\numask %03o\n", mask_of_modes);
    for (int i = 0; i < 16; i++) {
        struct rlimit limit;
        if (getrlimit(i, &limit) == 0)
            printf("limit %d: %lu %lu\n", i, (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
    }
    cpu_set_t cpus;
    CHECK(sched_getaffinity(0, sizeof cpus, &cpus) == 0);
    printf("nice %d, policy %d, cpus %d, ioprio %ld\n", getpriority(PRIO_PROCESS, 0), sched_getscheduler(0),
           CPU_COUNT(&cpus), syscall(SYS_ioprio_get, 1, 0));
    int deathsig = -1, subreaper = -1;
    prctl(PR_GET_PDEATHSIG, &deathsig);
    prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
    printf("dumpable %d, death signal %d, subreaper %d, keepcaps %d, timer slack %d\n", prctl(PR_GET_DUMPABLE), deathsig,
           subreaper, prctl(PR_GET_KEEPCAPS), prctl(PR_GET_TIMERSLACK));
    gid_t groups[64];
    printf("ids %d %d %d %d, %d groups, children %s\n", getuid(), geteuid(), getgid(), getegid(), getgroups(64, groups),
           waitpid(-1, NULL, WNOHANG) < 0 ? "none" : "some");
    struct itimerval timer;
    getitimer(ITIMER_REAL, &timer);
    printf("timer armed: %d\n", timer.it_value.tv_sec || timer.it_value.tv_usec);
    stack_t stack;
    sigaltstack(NULL, &stack);
    printf("alternate stack: %s\n", stack.ss_flags & SS_DISABLE ? "none" : "set");
    char *here = getcwd(NULL, 0);
    printf("folder: %s\n", here && strrchr(here, '/') ? "ok" : "?");
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, "CapEff", 6) || !strncmp(line, "CapPrm", 6) || !strncmp(line, "CapInh", 6) ||
            !strncmp(line, "CapAmb", 6) || !strncmp(line, "CapBnd", 6))
            fputs(line, stdout);
    return 0;
}
