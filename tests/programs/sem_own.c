/* cflags: -static -fno-inline */
/* Semaphores of its own, made as musl makes them: -1 while somebody waits for one that is 0, one function that goes on
 * as another and that calls a third; and first instructions that go elsewhere. */
#include "common.h"
#include <linux/futex.h>
struct semaphore {
    volatile int value, waiters, private;
};
__attribute__((used)) static int try(struct semaphore *s)
{
    for (int value; (value = s->value) > 0;)
        if (__sync_bool_compare_and_swap(&s->value, value, value - 1 - (value == 1 && s->waiters)))
            return 0;
    return -1;
}
__attribute__((used)) static int post(struct semaphore *s)
{
    int value;
    do
        value = s->value;
    while (!__sync_bool_compare_and_swap(&s->value, value, value + 1 + (value < 0)));
    if (value < 0 || s->waiters)
        syscall(SYS_futex, &s->value, FUTEX_WAKE | s->private, 1, 0, 0, 0);
    return 0;
}
int sem_init(sem_t *sem, int shared, unsigned value)
{
    struct semaphore *s = (struct semaphore *)sem;
    s->value = value, s->waiters = 0, s->private = shared ? 0 : 128;
    return 0;
}
int sem_timedwait(sem_t *sem, const struct timespec *until)
{
    struct semaphore *s = (struct semaphore *)sem;
    while (sem_trywait(sem)) {
        __sync_fetch_and_add(&s->waiters, 1);
        __sync_bool_compare_and_swap(&s->value, 0, -1);
        syscall(SYS_futex, &s->value, FUTEX_WAIT | s->private, -1, 0, 0, 0);
        __sync_fetch_and_sub(&s->waiters, 1);
    }
    return 0;
}
#ifdef __x86_64__
asm(".globl sem_trywait, sem_post, sem_wait, sem_destroy\n"
    ".type sem_trywait,@function\n.type sem_post,@function\n.type sem_wait,@function\n.type sem_destroy,@function\n"
    "sem_trywait: jmp 1f\n .skip 40,0x90\n1: jmp try\n"
    ".balign 16\nsem_post: call 1f\n jmp post\n .skip 40,0x90\n1: ret\n"
    ".balign 16\nsem_wait: xor %esi,%esi\n jmp sem_timedwait\n"
    ".balign 16\nsem_destroy: jne 1f\n 1: xor %eax,%eax\n ret\n");
#else
int sem_trywait(sem_t *sem) { return try((struct semaphore *)sem); }
int sem_post(sem_t *sem) { return post((struct semaphore *)sem); }
int sem_wait(sem_t *sem) { return sem_timedwait(sem, NULL); }
int sem_destroy(sem_t *sem) { return 0; }
#endif
__attribute__((section("apart"))) int main(int argc, char **argv)
{
    sem_t *ping = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *pong = ping + 1;
    CHECK(ping != MAP_FAILED && sem_init(ping, 1, 0) == 0 && sem_init(pong, 1, 0) == 0);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 31; i++)
            CHECK(sem_wait(ping) == 0 && sem_post(pong) == 0);
        _exit(0);
    }
    for (int i = 0; i < 30; i++)
        CHECK(sem_post(ping) == 0 && sem_wait(pong) == 0);
    int none = sem_trywait(pong);
    until_asleep(child);
    if (argc > 1) {
        char facts[64];
        snprintf(facts, sizeof facts, "waiter %d\n", child);
        barrier("asleep", facts);
    }
    CHECK(sem_post(ping) == 0 && sem_wait(pong) == 0 && wait(NULL) == child && sem_destroy(pong) == 0);
    printf("thirty rounds, then %d\n", none);
    return 0;
}
