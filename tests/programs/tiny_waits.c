/* Six threads that wait for time alone, again and again and each by another call, until the main thread has done its work. */
#include "common.h"
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/select.h>

static volatile int over;
static int ends[2], set;
static int word;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static const struct timespec tiny = {0, 100000};

static void by_sleep(void) { nanosleep(&tiny, NULL); }
static void by_futex(void) { syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &tiny, NULL, 0); }
static void by_epoll(void)
{
    struct epoll_event event;
    epoll_wait(set, &event, 1, 1);
}
static void by_poll(void) { ppoll(NULL, 0, &tiny, NULL); }
static void by_select(void)
{
    struct timeval time = {0, 100};
    select(0, NULL, NULL, NULL, &time);
}
static void by_condition(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 100000;
    if (until.tv_nsec >= 1000000000)
        until.tv_nsec -= 1000000000, until.tv_sec++;
    pthread_mutex_lock(&mutex);
    pthread_cond_timedwait(&never, &mutex, &until);
    pthread_mutex_unlock(&mutex);
}
static void (*const ways[])(void) = {by_sleep, by_futex, by_epoll, by_poll, by_select, by_condition};

static void *wait_again(void *way)
{
    while (!over)
        ((void (*)(void))way)();
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t ids[6];
    CHECK(pipe(ends) == 0 && (set = epoll_create1(0)) >= 0);
    for (int i = 0; i < 6; i++)
        CHECK(pthread_create(&ids[i], NULL, wait_again, ways[i]) == 0);
    char byte = 'x';
    for (int i = 0; i < 10; i++)
        CHECK(write(ends[1], &byte, 1) == 1 && read(ends[0], &byte, 1) == 1);
    over = 1;
    for (int i = 0; i < 6; i++)
        CHECK(pthread_join(ids[i], NULL) == 0);
    printf("done\n");
    return 0;
}
