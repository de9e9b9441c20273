/* Three producers, each with a pipe of its own. */
#define MANY 3

/* Starts them; pipes[n] is the read end of the n-th one's pipe. */
void start_producers(int pipes[MANY], double rest);

/* Reads a pipe and prints what came. Returns 0, and closes it, if its producer has ended. */
int consume(int fd);
