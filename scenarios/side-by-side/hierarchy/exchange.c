/* usage: exchange stream|answer SIZE COUNT NAME MEANS...
 * Sends messages to a child through each of the means; with answer each one comes back. Both print
 * for each means: seconds, calls that carried data, bytes that the kernel copied, bytes that the
 * program copied, context switches, page faults. */
#include "means.h"
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static size_t size;
static char *mine, *buffer; /* what is sent, and where it is received */
static int first; /* whether this is the one that begins */
static long calls, by_kernel, by_program;

static ssize_t send_piece(const struct channel *c, size_t done, size_t at)
{
    size_t left = size - done;
    if (c->is_queue) { /* a message is taken as a whole, or refused: so it is cut up here */
        left = left < LONGEST ? left : LONGEST;
        return mq_send(c->in, mine + done, left, 0) < 0 ? -1 : (ssize_t)left;
    }
    if (c->full)
        return pwrite(c->in, mine + done, left, (off_t)(at + done));
    return write(c->in, mine + done, left);
}

static ssize_t receive_piece(const struct channel *c, size_t done, size_t at)
{
    if (c->is_queue)
        return mq_receive(c->out, buffer + done, LONGEST, NULL);
    if (c->full)
        return pread(c->out, buffer + done, size - done, (off_t)(at + done));
    return read(c->out, buffer + done, size - done);
}

static void transfer(const struct channel *c, size_t at,
                     ssize_t (*piece)(const struct channel *, size_t, size_t))
{
    for (size_t done = 0; done < size; calls++) {
        ssize_t count = piece(c, done, at);
        check(count > 0, "transfer");
        done += (size_t)count;
        by_kernel += count;
    }
}

static void send_message(struct channel *c)
{
    size_t at = c->sent++ % SLOTS * size;
    if (c->full)
        sem_wait(c->empty); /* a call only if it has to sleep */
    if (c->memory) {
        memcpy(c->memory + at, mine, size); /* the only copy, and no call */
        by_program += (long)size;
    } else {
        transfer(c, at, send_piece);
    }
    if (c->full)
        sem_post(c->full); /* a call only if somebody sleeps */
}

static void receive_message(struct channel *c)
{
    size_t at = c->received++ % SLOTS * size;
    if (c->full)
        sem_wait(c->full);
    if (!c->memory)
        transfer(c, at, receive_piece);
    /* Look at each byte, as whoever gets a message does: in memory where it lies. */
    if (memchr(c->memory ? c->memory + at : buffer, '\n', size))
        exit(1);
    if (c->full)
        sem_post(c->empty); /* this slot is free again */
}

static void exchange(struct channel *to, struct channel *back, long count)
{
    while (count-- > 0)
        if (first) {
            send_message(to);
            if (back)
                receive_message(back);
        } else {
            receive_message(to);
            if (back)
                send_message(back);
        }
}

static void measure(const char *means, struct channel *to, struct channel *back, long count)
{
    struct timespec begin, end;
    struct rusage before, after;

    exchange(to, back, count > 1 ? SLOTS : 0); /* so that each page has been touched */
    calls = by_kernel = by_program = 0;
    getrusage(RUSAGE_SELF, &before);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    exchange(to, back, count);
    clock_gettime(CLOCK_MONOTONIC, &end);
    getrusage(RUSAGE_SELF, &after);
    printf("%s %.9f %ld %ld %ld %ld %ld\n", means,
           (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9,
           calls, by_kernel, by_program,
           after.ru_nvcsw + after.ru_nivcsw - before.ru_nvcsw - before.ru_nivcsw,
           after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt);
}

int main(int argc, char **argv)
{
    if (argc < 6)
        return 2;
    int answer = strcmp(argv[1], "answer") == 0, many = argc - 5;
    long count = atol(argv[3]);
    struct channel *there = calloc((size_t)many, sizeof *there);
    struct channel *back = calloc((size_t)many, sizeof *back);
    char name[100], **means = argv + 5;

    size = strtoul(argv[2], NULL, 10);
    mine = memset(malloc(size), 'x', size);
    buffer = memset(malloc(size + LONGEST), 0, size + LONGEST);
    snprintf(name, sizeof name, "%s-back", argv[4]);
    for (int n = 0; n < many; n++) {
        there[n] = open_channel(means[n], argv[4], size);
        if (answer)
            back[n] = open_channel(means[n], name, size);
    }
    first = fork() != 0;
    for (int n = 0; n < many; n++)
        measure(means[n], &there[n], answer ? &back[n] : NULL, count);
    fflush(stdout);
    if (first)
        wait(NULL);
    return 0;
}
