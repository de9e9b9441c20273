/* Locks a mutex that the thread has already, as the second thread of its process. */
#include "common.h"

static pthread_mutex_t twice = PTHREAD_MUTEX_INITIALIZER;

static void *lock(void *unused)
{
    pthread_mutex_lock(&twice);
    pthread_mutex_lock(&twice);
    return unused;
}

int main(void)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, lock, NULL) == 0);
    pthread_join(thread, NULL);
    return 0;
}
