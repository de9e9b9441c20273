/* One direction from one process to the other. */
#include <semaphore.h>
#include <stddef.h>

enum { SLOTS = 4, LONGEST = 8192 }; /* of memory and files; a message of a queue */

struct channel {
    int in, out; /* descriptors to send by, and to receive by */
    int is_queue;
    char *memory;        /* or memory that both have */
    sem_t *full, *empty; /* and what wakes, where the means wakes nobody */
    size_t sent, received;
};

struct channel open_channel(const char *means, const char *name, size_t size);
void check(int ok, const char *what);
