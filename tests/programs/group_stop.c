/* Job control: SIGSTOP, SIGTSTP, SIGTTIN seen by a parent that waits for stops and continues; threads too. */
#include "common.h"
static volatile sig_atomic_t chlds, conts;
static void chld(int signo, siginfo_t *info, void *context)
{
    (void)signo, (void)context;
    if (info->si_code != CLD_EXITED)
        chlds++;
}
static void cont(int signo) { (void)signo; conts++; }
static void *idle(void *unused) { for (;;) pause(); return unused; }
int main(void)
{
    int status, stops[] = {SIGSTOP, SIGTSTP, SIGTTIN};
    struct sigaction action = {.sa_sigaction = chld, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGCHLD, &action, NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        pthread_t thread;
        setpgid(0, 0);
        on_signal(SIGCONT, cont, 0);
        CHECK(pthread_create(&thread, NULL, idle, NULL) == 0);
        raise(SIGSTOP);
        for (;;)
            pause();
    }
    for (int i = 0; i < 3; i++) {
        if (i > 0)
            kill(pid, stops[i]);
        CHECK(waitpid(pid, &status, WUNTRACED) == pid);
        say_status("child", status);
        printf("state %c\n", state_of(pid) == 't' ? 'T' : state_of(pid));
        kill(pid, SIGCONT);
        CHECK(waitpid(pid, &status, WCONTINUED) == pid);
        say_status("child", status);
    }
    kill(pid, SIGSTOP);
    siginfo_t info;
    CHECK(waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT) == 0);
    printf("waitid: code %d status %d\n", info.si_code, info.si_status);
    CHECK(waitpid(pid, &status, WUNTRACED) == pid);
    kill(pid, SIGKILL);
    CHECK(waitpid(pid, &status, WUNTRACED) == pid);
    say_status("child", status);
    printf("SIGCHLD for stops and continues seen: %d\n", chlds > 0);
    return 0;
}
