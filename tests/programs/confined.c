/* What a program does and learns by seccomp(2) of its own: strict mode, filters that want a tracer, questions. */
#include "common.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <x86intrin.h>

static void put(const char *text) { syscall(SYS_write, 1, text, strlen(text)); }

static volatile sig_atomic_t handled;
static void handle(int signo) { handled = signo; }

static int filter(unsigned action, unsigned call)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static void strict(int by)
{
    int r = by ? syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 0) : prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    put(r == 0 ? "strict\n" : "refused\n");
}

static void leave_well(void)
{
    strict(0);
    char c;
    syscall(SYS_read, 0, &c, 0);
    put("left\n");
    syscall(SYS_exit, 7);
}
static void leave_badly(void) { strict(1); _exit(0); }
static void ask(void) { strict(0); getpid(); put("asked\n"); syscall(SYS_getpid); put("not reached\n"); }
static void call_32(void) { strict(0); __asm__ volatile("int $0x80" : : "a"(20)); put("not reached\n"); }
static void count(void) { strict(0); put("counting\n"); __rdtsc(); put("not reached\n"); }
static void catch(void)
{
    on_signal(SIGALRM, handle, SA_RESTART);
    struct itimerval soon = {.it_value = {.tv_usec = 1000}};
    setitimer(ITIMER_REAL, &soon, NULL);
    strict(0);
    while (!handled)
        ;
    put("handled\n");
    syscall(SYS_exit, 0);
}
static void after_a_filter(void)
{
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(filter(SECCOMP_RET_ERRNO | EXDEV, SYS_getppid) == 0);
    int r = prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    printf("strict after a filter: %d %s\n", r, strerror(errno));
    printf("mode %d\n", prctl(PR_GET_SECCOMP));
}
static void *in_thread(void *arg)
{
    strict(0);
    syscall(SYS_gettid);
    put("not reached\n");
    return NULL;
}
static void thread(void)
{
    pthread_t id;
    CHECK(pthread_create(&id, NULL, in_thread, NULL) == 0);
    /* The kernel clears its number and wakes who waits for that, however it ends. */
    CHECK(pthread_join(id, NULL) == 0);
    printf("the thread is gone\n");
}
static void dropped(void)
{
    if (geteuid() == 0)
        CHECK(setresuid(65534, 65534, 65534) == 0);
    strict(0);
    syscall(SYS_exit, 3);
}
static void without_rights(void)
{
    if (geteuid() == 0)
        CHECK(setresuid(65534, 65534, 65534) == 0);
    printf("nnp %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    int r = filter(SECCOMP_RET_ERRNO | EXDEV, SYS_getppid);
    printf("filter %d %s\n", r, r ? strerror(errno) : "");
    printf("mode %d\n", prctl(PR_GET_SECCOMP));
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    fflush(stdout);
    if (fork() == 0) {
        printf("child's nnp %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
        exit(0);
    }
    wait(NULL);
    r = filter(SECCOMP_RET_ERRNO | EXDEV, SYS_getppid);
    printf("nnp %d filter %d mode %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), r, prctl(PR_GET_SECCOMP));
    r = syscall(SYS_getppid);
    printf("getppid %d %s\n", r, strerror(errno));
}
static void wants_tracer(void)
{
    static const unsigned calls[] = {SYS_getppid, SYS_pipe2, SYS_dup, SYS_read, SYS_clone, SYS_rt_sigprocmask, SYS_close};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    for (int i = 0; i < sizeof calls / sizeof *calls; i++)
        CHECK(filter(SECCOMP_RET_TRACE | (i & 1 ? 0 : 77), calls[i]) == 0);
    for (int i = 0; i < sizeof calls / sizeof *calls; i++) {
        errno = 0;
        long ends[2];
        long r = syscall(calls[i], i == 5 ? (long)SIG_BLOCK : i == 1 ? (long)ends : 0, i == 5 ? (long)ends : 0, 0, 8, 0);
        printf("%u: %ld %s\n", calls[i], r, strerror(errno));
        fflush(stdout);
    }
    char c;
    printf("0 is open: %d\n", fcntl(0, F_GETFD) >= 0);
}

int main(int argc, char **argv)
{
    printf("mode %d\n", prctl(PR_GET_SECCOMP));
    static void (*const cases[])(void) = {
        leave_well, leave_badly, ask, call_32, count, catch, after_a_filter, thread, dropped, without_rights, wants_tracer,
    };
    for (int i = 0; i < sizeof cases / sizeof *cases; i++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            cases[i]();
            exit(0);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child);
        printf("%d: %x ", i, status);
        say_status("child", status);
    }
    return 0;
}
