/* Makes what /proc/PID/fd calls anon_inode, as far as this kernel lets it; prints a line for each: its name and the descriptor, or -1. */
#include "common.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
static void made(const char *name, long fd) { printf("%s: %ld\n", name, fd); }
int main(void)
{
    struct sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    struct sock_fprog program = {1, allow};
    char ring[256] = {0};
    unsigned long long rules[2] = {1, 0};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    made("seccomp listener", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
    made("Landlock rule set", syscall(444, rules, 8, 0));
    made("secret memory", syscall(447, 0));
    made("userfaultfd", syscall(SYS_userfaultfd, 1));
    made("io_uring", syscall(425, 4, ring));
    return 0;
}
