/* Four threads write lines into one pipe, the main thread reads them to the end. */
#include "common.h"
static int ends[2];
static void *writer(void *number)
{
    char line[64];
    for (int i = 0; i < 500; i++) {
        snprintf(line, sizeof line, "thread %ld line %06d ..........\n", (long)number, i);
        CHECK(write(ends[1], line, 32) == 32);
    }
    return NULL;
}
int main(void)
{
    pthread_t threads[4];
    CHECK(pipe(ends) == 0);
    for (long i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, writer, (void *)i) == 0);
    char buffer[32];
    long total = 0, sum = 0;
    while (total < 4L * 500 * 32) {
        ssize_t n = read(ends[0], buffer, sizeof buffer);
        CHECK(n > 0);
        total += n;
        for (ssize_t i = 0; i < n; i++)
            sum += (unsigned char)buffer[i];
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    printf("%ld bytes, sum %ld\n", total, sum);
    return 0;
}
