/* Ways of a signal besides that to a handler that returns: taken by a call, once only, left by a jump, out of a fault. */
#include "common.h"
#include <setjmp.h>
#include <sys/signalfd.h>
static sigjmp_buf place;
static void nothing(int signo) { (void)signo; }
static void jump(int signo) { (void)signo, siglongjmp(place, 1); }
static void fault(int signo) { (void)signo, *(volatile int *)8 = 1; }
static pid_t send_when_asleep(pid_t to, int signo)
{
    pid_t pid = fork();
    if (pid == 0) {
        until_asleep(to);
        _exit(kill(to, signo));
    }
    return pid;
}
int main(void)
{
    int status, signo, end[2];
    char c;
    pid_t me = getpid();
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGUSR1), sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < 3; i++) {
        pid_t sender = send_when_asleep(me, SIGUSR1);
        CHECK(sigwait(&set, &signo) == 0 && signo == SIGUSR1 && waitpid(sender, NULL, 0) == sender);
    }
    struct signalfd_siginfo two[2];
    int fd = signalfd(-1, &set, 0), self = (int)syscall(SYS_pidfd_open, me, 0);
    CHECK(kill(me, SIGUSR1) == 0 && syscall(SYS_pidfd_send_signal, self, SIGUSR2, NULL, 0) == 0);
    CHECK(read(fd, two, sizeof two) == sizeof two);
    sigprocmask(SIG_UNBLOCK, &set, NULL);

    on_signal(SIGUSR1, jump, 0);
    if (sigsetjmp(place, 1) == 0)
        raise(SIGUSR1);
    CHECK(close(fd) == 0 && close(self) == 0);

    CHECK(pipe(end) == 0);
    for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
        on_signal(SIGUSR2, nothing, flags);
        pid_t sender = send_when_asleep(me, SIGUSR2), writer = fork();
        if (writer == 0) {
            CHECK(waitpid(-1, NULL, 0) == -1);
            while (kill(sender, 0) == 0 && state_of(sender) != 'Z')
                usleep(1000);
            until_asleep(me);
            _exit(write(end[1], "x", 1) != 1);
        }
        ssize_t n = read(end[0], &c, 1);
        printf("%s: %zd\n", flags ? "with SA_RESTART" : "without", n);
        if (n < 0)
            CHECK(read(end[0], &c, 1) == 1);
        CHECK(waitpid(sender, NULL, 0) == sender && waitpid(writer, NULL, 0) == writer);
    }

    for (int which = 0; which < 2; which++) {
        pid_t child = fork();
        if (child == 0) {
            CHECK(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) == 0);
            on_signal(which ? SIGSEGV : SIGUSR1, which ? fault : nothing, which ? 0 : SA_RESETHAND);
            raise(which ? SIGSEGV : SIGUSR1);
            raise(SIGUSR1);
            _exit(0);
        }
        CHECK(waitpid(child, &status, 0) == child);
        say_status(which ? "fault in a handler" : "once", status);
    }

    pid_t middle = fork();
    if (middle == 0) {
        pid_t last = fork();
        if (last == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            kill(getppid(), SIGTERM);
            pause();
        }
        pause();
    }
    CHECK(close(end[1]) == 0 && read(end[0], &c, 1) == 0);
    CHECK(waitpid(middle, &status, 0) == middle);
    say_status("middle", status);

    signal(SIGCHLD, SIG_IGN);
    if (fork() == 0)
        _exit(0);
    CHECK(wait(NULL) == -1 && errno == ECHILD);
    return 0;
}
