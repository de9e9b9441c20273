/* A program that installs a seccomp filter of its own: an errno, and a SIGSYS. */
#include "common.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
static volatile sig_atomic_t trapped;
static void trap(int signo) { trapped = signo; }
int main(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pipe2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_dup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
    on_signal(SIGSYS, trap, 0);
    int ends[2];
    int r = syscall(SYS_pipe2, ends, 0);
    printf("pipe2: %d %s\n", r, strerror(errno));
    syscall(SYS_dup, 0);
    printf("dup: trapped by %d\n", (int)trapped);
    return 0;
}
